import Foundation

/// A models folder of a test's own: the real encoder, and what the test adds.
final class ModelsFolder: Sendable {
  let path: String

  init() throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "thalamus-models-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      at: folder.appending(path: "minilm-l6-v2"),
      withDestinationURL: Binary.packageRoot.appending(path: "models/minilm-l6-v2"))
    path = folder.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A tiny random checkpoint that `scripts/fixtures/checkpoint_experts.py` made.
  static func checkpoint(_ name: String) -> String {
    Binary.packageRoot.appending(path: "Tests/LibraryTests/Fixtures/\(name)").path
  }

  /// What the reference answers, by the checkpoint's name.
  static func referenceAnswers() throws -> JSON {
    JSON(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(filePath: checkpoint("answers.json")))))
  }

  /// A server of these models; others' settings and log are left alone.
  func serve(arguments: [String] = []) async throws -> RunningServer {
    try await RunningServer(arguments: ["--models", path] + arguments)
  }
}
