import Foundation
import ModelFiles
import Testing
import Tokenization

/// Files whose metadata is well-formed GGUF and makes no sense as a tokenizer.
@Suite struct HostileVocabularyTests {
  @Test func damagedVocabulariesNeverCrash() throws {
    let original = try Fixtures.data("llama2-style.gguf")
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("thalamus-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var random = SystemRandomNumberGenerator()
    var made = 0
    for _ in 0..<600 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        bytes[index] = UInt8.random(in: 0...255, using: &random)
      }
      try bytes.write(to: URL(fileURLWithPath: path))
      guard let file = try? GGUFFile(path: path) else { continue }
      do throws(TokenizerError) {
        let tokenizer = try makeTokenizer(from: file)
        made += 1
        let ids = tokenizer.encode(
          "The law, das Gesetz, 法律\n\t<tool>é", addSpecial: true, parseSpecial: true)
        _ = tokenizer.decode(ids)
      } catch {
        #expect(!error.field.isEmpty)
      }
    }
    #expect(made > 0)
  }

  @Test func wrongByteLevelFilesNameTheField() throws {
    func error(_ change: (inout MetadataWriter) -> Void) throws -> String {
      var writer = MetadataWriter()
      writer.string("tokenizer.ggml.model", "gpt2")
      change(&writer)
      let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("thalamus-\(UUID().uuidString)").path
      defer { try? FileManager.default.removeItem(atPath: path) }
      try Data(writer.file).write(to: URL(fileURLWithPath: path))
      let file = try GGUFFile(path: path)
      let error = #expect(throws: TokenizerError.self) { try makeTokenizer(from: file) }
      return error?.field ?? ""
    }
    #expect(try error { _ in } == "tokenizer.ggml.tokens")
    #expect(try error { $0.string("tokenizer.ggml.pre", "unheard-of") } == "tokenizer.ggml.pre")
    #expect(try error { $0.strings("tokenizer.ggml.tokens", []) } == "tokenizer.ggml.tokens.count")
    #expect(
      try error { $0.strings("tokenizer.ggml.tokens", ["a", "b"]) } == "tokenizer.ggml.merges")
    for merge in ["ab", "a ", " a", "a c", "c a", "b a", ""] {
      let field = try error {
        $0.strings("tokenizer.ggml.tokens", ["a", "b", "ab"])
        $0.strings("tokenizer.ggml.merges", ["a b", merge])
      }
      #expect(field == "tokenizer.ggml.merges[1]", "\(merge)")
    }
    let kinds = try error {
      $0.strings("tokenizer.ggml.tokens", ["a", "b"])
      $0.ints("tokenizer.ggml.token_type", [1, 7])
    }
    #expect(kinds == "tokenizer.ggml.token_type[1]")
    let end = try error {
      $0.strings("tokenizer.ggml.tokens", ["a", "b"])
      $0.int("tokenizer.ggml.eos_token_id", 2)
    }
    #expect(end == "tokenizer.ggml.eos_token_id")
  }

  /// Writes metadata-only GGUF files.
  struct MetadataWriter {
    private var count: UInt64 = 0
    private var body: [UInt8] = []

    var file: [UInt8] {
      var bytes: [UInt8] = []
      for value in [UInt32(0x4655_4747), 3] { Self.put(value, &bytes) }
      for value in [UInt64(0), count] { Self.put(value, &bytes) }
      return bytes + body
    }

    private static func put<Value: FixedWidthInteger>(_ value: Value, _ bytes: inout [UInt8]) {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func text(_ text: String) {
      Self.put(UInt64(text.utf8.count), &body)
      body += Array(text.utf8)
    }

    private mutating func key(_ key: String, _ type: UInt32) {
      count += 1
      text(key)
      Self.put(type, &body)
    }

    mutating func string(_ name: String, _ value: String) {
      key(name, 8)
      text(value)
    }

    mutating func int(_ name: String, _ value: UInt32) {
      key(name, 4)
      Self.put(value, &body)
    }

    mutating func ints(_ name: String, _ values: [Int32]) {
      key(name, 9)
      Self.put(UInt32(5), &body)
      Self.put(UInt64(values.count), &body)
      for value in values { Self.put(value, &body) }
    }

    mutating func strings(_ name: String, _ values: [String]) {
      key(name, 9)
      Self.put(UInt32(8), &body)
      Self.put(UInt64(values.count), &body)
      for value in values { text(value) }
    }
  }
}
