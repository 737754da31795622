import Foundation
import ModelFiles
import Testing
import Tokenization

/// Published pre-tokenizers against Hugging Face tokenizers running the published expressions; the
/// fixtures are made by `scripts/fixtures/pre_tokenizers.py`.
@Suite struct PreTokenizerTests {
  /// Names of `tokenizer.ggml.pre`: all that the fixtures are of.
  static let names = ((try? sequences()) ?? [:]).keys.sorted()

  @Test func thereAreNames() { #expect(Self.names.count >= 9) }

  /// Some of the lines that all tokenizers are tried on, and random ones.
  static let lines: [String] = {
    let rest = stride(from: 230, to: Fixtures.lines.count, by: 14).map { Fixtures.lines[$0] }
    return Fixtures.lines.prefix(230) + rest + Fixtures.texts("pre-tokenizers/lines.jsonl")
  }()

  @Test(arguments: names) func wordsEqualTheReference(name: String) throws {
    let preTokenizer = try #require(PreTokenizer(name: name))
    let rows = try Fixtures.rows("pre-tokenizers/\(name).words")
    try #require(rows.count == Self.lines.count && rows.count > 700)
    for (line, row) in zip(Self.lines, rows) {
      #expect(preTokenizer.wordLengths(line) == row, "\(line.debugDescription)")
    }
  }

  /// The ids of a checkpoint's tokenizer with this pre-tokenizer, written as the reference writes it.
  @Test(arguments: names) func checkpointsEqualTheReference(name: String) throws {
    let folder = try Self.folder(pre: Self.sequence(name), field: "pre_tokenizer")
    let tokenizer = try makeTokenizer(checkpoint: folder.path)
    let rows = try Fixtures.rows("pre-tokenizers/\(name).ids")
    let lines = stride(from: 0, to: Self.lines.count, by: 7).map { Self.lines[$0] }
    try #require(rows.count == lines.count)
    for (line, row) in zip(lines, rows) {
      let ids = tokenizer.encode(line, addSpecial: false, parseSpecial: false)
      #expect(ids.map { Int($0) } == row, "\(line.debugDescription)")
    }
  }

  @Test func namesThatShareAPattern() {
    for (name, other) in [
      ("llama-bpe", "llama3"), ("smaug-bpe", "dbrx"), ("dbrx", "llama3"), ("olmo", "gpt-2"),
      ("refact", "starcoder"), ("command-r", "smollm"), ("deepseek-r1-qwen", "qwen2"),
      ("hunyuan-dense", "deepseek-v3"), ("llama4", "gpt-4o"), ("glm4", "llama3"),
    ] {
      #expect(PreTokenizer(name: name) != nil && PreTokenizer(name: name) == .init(name: other))
    }
    #expect(PreTokenizer(name: "llama3") != PreTokenizer(name: "qwen2"))
    #expect(PreTokenizer(name: "no-such") == nil)
  }

  /// Whole words without merging, and a beginning token where the file is silent, as llama.cpp has
  /// them for each name.
  @Test(
    arguments: [
      ("llama-bpe", [5, 4]), ("tekken", [5, 4]), ("minicpm5", [4]), ("dbrx", [0, 3]),
      ("gpt-4o", [0, 3]), ("deepseek-v3", [0, 3]),
    ] as [(String, [Int32])])
  func whatElseANameSays(name: String, ids: [Int32]) throws {
    var writer = HostileVocabularyTests.MetadataWriter()
    writer.string("tokenizer.ggml.model", "gpt2")
    writer.string("tokenizer.ggml.pre", name)
    writer.strings("tokenizer.ggml.tokens", ["a", "b", "c", "bc", "abc", "<s>"])
    writer.ints("tokenizer.ggml.token_type", [1, 1, 1, 1, 1, 3])
    writer.strings("tokenizer.ggml.merges", ["b c"])
    writer.int("tokenizer.ggml.bos_token_id", 5)
    let folder = try CheckpointFiles()
    try folder.write(Data(writer.file), "model.gguf")
    let tokenizer = try makeTokenizer(from: GGUFFile(path: folder.path + "/model.gguf"))
    #expect(tokenizer.encode("abc", addSpecial: true, parseSpecial: false) == ids)
  }

  // MARK: - Hostile texts

  /// Long runs of what each expression may read in vain. Were a matcher quadratic, this would take
  /// hours.
  @Test(arguments: names + ["gpt-2", "smollm", "llama3", "qwen2"])
  func longRunsTakeLinearTime(name: String) throws {
    let preTokenizer = try #require(PreTokenizer(name: name))
    for unit in [
      " ", "\t", "\n", "\r\n", " \n", "A", "a", "Aa", "aA", "\u{4E2D}", "A\u{301}", "\u{301}",
      "\u{4E2D}A", "1", "1 ", ".", "!A", "/", "/\n", "'", "'s", "'ll", "\u{200B}", "\u{1}",
      "\u{1} ", "\u{1}  ", "\u{3000}", "\u{3000}\u{3001}", " \u{301}", "+", "\u{2028}\u{1}",
    ] {
      for (before, after) in [("", ""), ("\u{301}", "."), ("a", "a"), ("\u{200B}", "\u{200B}")] {
        let text = before + String(repeating: unit, count: 50_000) + after
        #expect(preTokenizer.wordLengths(text).reduce(0, +) == text.utf8.count)
      }
    }
  }

  // MARK: - What is not understood

  private static func sequences() throws -> [String: Any] {
    try #require(
      JSONSerialization.jsonObject(with: Fixtures.data("pre-tokenizers/sequences.json"))
        as? [String: Any])
  }

  private static func sequence(_ name: String) throws -> Any {
    try #require(sequences()[name])
  }

  /// A folder with a good `tokenizer.json` of which one field is another.
  private static func folder(pre value: Any, field: String) throws -> CheckpointFiles {
    var file = try #require(
      JSONSerialization.jsonObject(with: Fixtures.data("checkpoints/llama3.json"))
        as? [String: Any])
    file[field] = value
    let folder = try CheckpointFiles()
    try folder.write(JSONSerialization.data(withJSONObject: file), "tokenizer.json")
    return folder
  }

  private static func error(steps: [[String: Any]]) throws -> TokenizerError? {
    let value: [String: Any] = ["type": "Sequence", "pretokenizers": steps]
    let folder = try folder(pre: value, field: "pre_tokenizer")
    return #expect(throws: TokenizerError.self) { try makeTokenizer(checkpoint: folder.path) }
  }

  /// Throws what is wrong with the steps, if anything is.
  private static func accept(steps: [[String: Any]]) throws {
    let value: [String: Any] = ["type": "Sequence", "pretokenizers": steps]
    let folder = try folder(pre: value, field: "pre_tokenizer")
    _ = try withExtendedLifetime(folder) { try makeTokenizer(checkpoint: folder.path) }
  }

  private static func split(
    _ regex: String, behavior: String = "Isolated", invert: Bool = false
  ) -> [String: Any] {
    ["type": "Split", "pattern": ["Regex": regex], "behavior": behavior, "invert": invert]
  }

  private static var byteLevel: [String: Any] {
    ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false]
  }

  @Test func anUnknownExpressionIsNamed() throws {
    let error = try Self.error(
      steps: [Self.split(#"\p{N}"#), Self.split(#"\d{1,4}"#), Self.byteLevel])
    #expect(error?.field.hasSuffix("pre_tokenizer.pretokenizers[1].pattern.Regex") == true)
    #expect(error?.problem.contains(#"\d{1,4}"#) == true)
  }

  /// To take away what does not match would lose text where the expression leaves some.
  @Test func removingIsRefusedWhereItLosesText() throws {
    let error = try Self.error(
      steps: [Self.split(#"\p{N}{1,3}"#, behavior: "Removed", invert: true), Self.byteLevel])
    #expect(error?.field.hasSuffix("pre_tokenizer.pretokenizers[0].behavior") == true)
  }

  /// Each step reads the whole text, so that many would make every text slow.
  @Test(arguments: [false, true]) func manyStepsAreRefused(nested: Bool) throws {
    let digits: [String: Any] = ["type": "Digits", "individual_digits": true]
    func steps(_ count: Int) -> [[String: Any]] {
      let steps = Array(repeating: digits, count: count - 1)
      return nested
        ? [["type": "Sequence", "pretokenizers": steps], Self.byteLevel]
        : steps + [Self.byteLevel]
    }
    let error = try Self.error(steps: steps(17))
    #expect(error?.field.hasSuffix("pre_tokenizer.pretokenizers") == true)
    #expect(error?.problem == "has more than 16 steps")
    try Self.accept(steps: steps(16))
  }

  /// The reference's `$` also matches before each line end, which ours does not.
  @Test func spaceAtTheEndNeedsLinesOfTheirOwn() throws {
    let (ends, space) = (Self.split(#"[\r\n]"#), Self.split(#"\s+$"#))
    for steps in [[space, Self.byteLevel], [space, ends, Self.byteLevel]] {
      let error = try Self.error(steps: steps)
      #expect(error?.field.hasSuffix("pretokenizers[0].pattern.Regex") == true)
    }
    try Self.accept(steps: [ends, space, Self.byteLevel])
  }

  @Test func aSequenceWithoutCutsIsRefused() throws {
    let error = try Self.error(steps: [Self.byteLevel])
    #expect(error?.field.hasSuffix("pretokenizers[0].use_regex") == true)
  }
}
