import Foundation
import Testing
import Tokenization

@Suite struct WordPieceTokenizerTests {
  static let tokenizer = Result { try WordPieceTokenizer(folder: ModelFolder.minilm) }

  @Test func cutsToTheModelsLength() throws {
    let tokenizer = try Self.tokenizer.get()
    #expect(tokenizer.maximumTokens == 256)
    let text = String(repeating: "hello world ", count: 100_000)
    let ids = tokenizer.encode(text, addSpecial: true, parseSpecial: false)
    #expect(ids.count == 256)
    #expect(ids.first == 101 && ids.last == 102)
    #expect(ids[1] == 7592 && ids[2] == 2088)
    #expect(tokenizer.encode("", addSpecial: true, parseSpecial: false) == [101, 102])
  }

  @Test func normalisesAndSplits() throws {
    let tokenizer = try Self.tokenizer.get()
    let ids = tokenizer.encode("Héllo, UNAFFABLE!", addSpecial: false, parseSpecial: false)
    #expect(tokenizer.decode(ids) == "hello , unaffable !")
    #expect(
      tokenizer.encode(String(repeating: "a", count: 101), addSpecial: false, parseSpecial: false)
        == [100])
    #expect(
      tokenizer.encode(String(repeating: "a", count: 100), addSpecial: false, parseSpecial: false)
        != [100])
    #expect(tokenizer.encode("[MASK]", addSpecial: false, parseSpecial: true) == [103])
    #expect(!tokenizer.encode("[MASK]", addSpecial: false, parseSpecial: false).contains(103))
  }

  /// Text is normalised in parts of some kilobytes; the parts' edges must not show.
  @Test func partsLeaveNoTrace() throws {
    let tokenizer = try WordPieceTokenizer(
      vocabularyPath: ModelFolder.minilm + "/vocab.txt", maximumTokens: 100_000)
    let word = "naïveté-Über "
    let ids = tokenizer.encode(word, addSpecial: false, parseSpecial: false)
    let many = tokenizer.encode(
      String(repeating: word, count: 1_000), addSpecial: false, parseSpecial: false)
    #expect(many == Array(repeatElement(ids, count: 1_000).joined()))
    let long = tokenizer.encode(
      String(repeating: "é", count: 50_000), addSpecial: false, parseSpecial: false)
    #expect(long == [100])
  }

  @Test func randomTextNeverCrashes() throws {
    let tokenizer = try Self.tokenizer.get()
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let ids = tokenizer.encode(bytes, addSpecial: true, parseSpecial: true)
      #expect(ids.count >= 2 && ids.count <= 256)
      _ = tokenizer.decode(ids)
    }
  }

  @Test func badVocabulariesAreRefused() throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("thalamus-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(throws: (any Error).self) {
      try WordPieceTokenizer(vocabularyPath: path, maximumTokens: 256)
    }
    try Data("a\nb\n".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: TokenizerError.self) {
      try WordPieceTokenizer(vocabularyPath: path, maximumTokens: 256)
    }
    try Data("[UNK]\n[CLS]\n[SEP]\n".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: TokenizerError.self) {
      try WordPieceTokenizer(vocabularyPath: path, maximumTokens: 2)
    }
    let empty = try WordPieceTokenizer(vocabularyPath: path, maximumTokens: 4)
    #expect(empty.encode("x ##", addSpecial: true, parseSpecial: false) == [1, 0, 0, 2])
  }
}
