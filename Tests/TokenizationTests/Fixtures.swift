import Foundation
import Testing

/// The golden files that `scripts/fixtures/token_ids.py` makes.
enum Fixtures {
  static func data(_ name: String) throws -> Data {
    let url = try #require(
      Bundle.module.resourceURL?.appendingPathComponent("Fixtures").appendingPathComponent(name))
    return try Data(contentsOf: url)
  }

  static func path(_ name: String) throws -> String {
    try #require(
      Bundle.module.resourceURL?.appendingPathComponent("Fixtures").appendingPathComponent(name)
    ).path
  }

  /// Rows of base-36 numbers.
  static func rows(_ name: String) throws -> [[Int]] {
    try String(decoding: data(name), as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      .map { row in try row.split(separator: " ").map { try #require(Int($0, radix: 36)) } }
  }

  /// The texts, one JSON string a line.
  static let lines = texts("lines.jsonl")

  /// The texts of another file of that kind.
  static func texts(_ name: String) -> [String] {
    let decoder = JSONDecoder()
    let lines = (try? data(name))?.split(separator: 0x0A).map { line in
      (try? decoder.decode([String].self, from: Data("[".utf8) + line + Data("]".utf8)))?.first
        ?? "unreadable"
    }
    return lines ?? []
  }
}

/// The models that `make models` fetches.
enum ModelFolder {
  static let smollm = path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf")
  static let gemma = path("gemma3-270m/gemma-3-270m-q4_k_m.gguf")
  static let minilm = path("minilm-l6-v2")

  static func path(_ name: String) -> String {
    URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("models").appendingPathComponent(name).path
  }
}

/// A folder of a test's own, gone with it.
final class CheckpointFiles {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("thalamus-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ data: Data, _ name: String) throws {
    try data.write(to: URL(fileURLWithPath: path).appendingPathComponent(name))
  }

  func write(_ text: String, _ name: String) throws { try write(Data(text.utf8), name) }
}
