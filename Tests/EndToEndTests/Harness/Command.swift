import Foundation

/// Another program, run to its end.
enum Command {
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  static func run(
    _ executable: URL, _ arguments: [String], input: String? = nil,
    environment: [String: String] = [:]
  ) async throws -> Outcome {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "thalamus-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let paths = ["in", "out", "err"].map { folder.appending(path: $0) }
    for path in paths { _ = FileManager.default.createFile(atPath: path.path, contents: nil) }
    try Data((input ?? "").utf8).write(to: paths[0])
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = Binary.packageRoot
    process.standardInput = try FileHandle(forReadingFrom: paths[0])
    process.standardOutput = try FileHandle(forWritingTo: paths[1])
    process.standardError = try FileHandle(forWritingTo: paths[2])
    try process.run()
    while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
    return Outcome(
      status: process.terminationStatus,
      output: try String(contentsOf: paths[1], encoding: .utf8),
      errors: try String(contentsOf: paths[2], encoding: .utf8))
  }

  static func thalamus(_ arguments: String..., input: String? = nil) async throws -> Outcome {
    try await run(Binary.url, arguments, input: input)
  }
}
