import ModelFiles
import Testing
import Tokenization

/// Identity with the reference implementations on some two thousand lines in many scripts.
@Suite struct ParityTests {
  static let smollm = Result { try makeTokenizer(from: GGUFFile(path: ModelFolder.smollm)) }
  static let gemma = Result { try makeTokenizer(from: GGUFFile(path: ModelFolder.gemma)) }
  static let llama2 = Result {
    try makeTokenizer(from: GGUFFile(path: Fixtures.path("llama2-style.gguf")))
  }

  @Test func linesCoverWhatTheyShould() {
    #expect(Fixtures.lines.count >= 2_000)
    var blocks: Set<UInt32> = []
    for line in Fixtures.lines {
      for scalar in line.unicodeScalars where scalar.properties.isAlphabetic {
        blocks.insert(scalar.value >> 7)
      }
    }
    #expect(blocks.count > 40)
  }

  @Test func smolLM2() throws {
    let tokenizer = try Self.smollm.get()
    try compare("smollm2.ids", Fixtures.lines) {
      tokenizer.encode($0, addSpecial: false, parseSpecial: false)
    }
    try compare("smollm2-special.ids", Fixtures.lines) {
      tokenizer.encode($0, addSpecial: false, parseSpecial: true)
    }
  }

  @Test func gemma3() throws {
    let tokenizer = try Self.gemma.get()
    try compare("gemma3.ids", Fixtures.lines) {
      tokenizer.encode($0, addSpecial: false, parseSpecial: false)
    }
  }

  @Test func llama2Style() throws {
    let tokenizer = try Self.llama2.get()
    try compare("llama2-style.ids", Fixtures.lines) {
      tokenizer.encode($0, addSpecial: false, parseSpecial: false)
    }
  }

  /// The same ids as of the `tokenizer.json` that the file was made from, on a part of the lines.
  @Test func gemma4Style() throws {
    let tokenizer = try makeTokenizer(
      from: GGUFFile(path: Fixtures.path("checkpoints/gemma4.gguf")))
    let rest = stride(from: 230, to: Fixtures.lines.count, by: 7).map { Fixtures.lines[$0] }
    try compare("checkpoints/gemma4.ids", Fixtures.lines.prefix(230) + rest) {
      tokenizer.encode($0, addSpecial: false, parseSpecial: false)
    }
    // What the converter calls a user's own are control tokens all the same: no text gives them.
    for mark in ["<|channel>", "<channel|>", "<|turn>", "<|tool_response>"] {
      let id = try #require(tokenizer.id(ofToken: mark))
      #expect(tokenizer.isSpecial(id))
      #expect(!tokenizer.encode(mark, addSpecial: false, parseSpecial: false).contains(id))
      #expect(tokenizer.encode(mark, addSpecial: true, parseSpecial: true) == [1, id])
    }
    let ends = ["</s>", "<turn|>", "<|tool_response>"].compactMap { tokenizer.id(ofToken: $0) }
    #expect(tokenizer.endTokens == Set(ends))
  }

  @Test func miniLM() throws {
    let tokenizer = try WordPieceTokenizer(
      vocabularyPath: ModelFolder.minilm + "/vocab.txt", maximumTokens: 10_000)
    try compare("minilm.ids", Fixtures.lines) {
      tokenizer.encode($0, addSpecial: true, parseSpecial: true)
    }
  }

  @Test(arguments: ["gpt2", "llama3", "qwen2"]) func preTokenizers(name: String) throws {
    let preTokenizer = try #require(PreTokenizer(name: name))
    try compare("\(name).words", Fixtures.lines) { preTokenizer.wordLengths($0) }
  }

  /// Compares row by row; at most ten differences are shown.
  private func compare<Number: BinaryInteger>(
    _ file: String, _ lines: [String], _ encode: (String) -> [Number]
  ) throws {
    let rows = try Fixtures.rows(file)
    #expect(rows.count <= lines.count && rows.count > 100)
    var differences = 0
    for (line, expected) in zip(lines, rows) {
      let ours = encode(line).map { Int($0) }
      if ours != expected {
        differences += 1
        if differences <= 10 {
          Issue.record("\(file): \(line.debugDescription): \(ours) is not \(expected)")
        }
      }
    }
    #expect(differences == 0, "\(file): \(differences) of \(rows.count) lines differ")
  }

  @Test func losslessTokenizersGiveTheTextBack() throws {
    let gemma = try Self.gemma.get()
    let smollm = try Self.smollm.get()
    for line in Fixtures.lines {
      // Gemma writes a space and U+2581 the same way.
      if !line.unicodeScalars.contains("\u{2581}") {
        let ids = gemma.encode(line, addSpecial: true, parseSpecial: false)
        #expect(ids.first == 2)
        #expect(gemma.decode(ids) == line)
      }
      let ids = smollm.encode(line, addSpecial: true, parseSpecial: false)
      // SmolLM2's vocabulary has no token for some control bytes and drops them.
      if line.utf8.allSatisfy({
        smollm.encode([$0], addSpecial: false, parseSpecial: false) != [] || $0 >= 0x80
      }),
        !line.utf8.contains(where: { $0 >= 0xF1 })
      {
        #expect(smollm.decode(ids) == line)
      }
    }
  }
}
