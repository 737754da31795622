import Foundation
import ModelFiles
import Testing
import Tokenization

/// `tokenizer.json` of every kind that is read, against Hugging Face tokenizers; the fixtures are
/// made by `scripts/fixtures/checkpoint_tokenizers.py`.
@Suite struct CheckpointTokenizerTests {
  static let kinds = [
    "neox", "smollm", "llama3", "qwen2", "llama2", "mistral", "metaspace", "fused", "gemma",
    "gemma4",
  ]

  private static func tokenizer(_ kind: String) throws -> any Tokenizer {
    let folder = try CheckpointFiles()
    try folder.write(Fixtures.data("checkpoints/\(kind).json"), "tokenizer.json")
    return try makeTokenizer(checkpoint: folder.path)
  }

  @Test(arguments: kinds) func textsEqualTheReference(kind: String) throws {
    let tokenizer = try Self.tokenizer(kind)
    let rows = try Fixtures.rows("checkpoints/\(kind).ids")
    let rest = stride(from: 230, to: Fixtures.lines.count, by: 7).map { Fixtures.lines[$0] }
    let texts = Fixtures.lines.prefix(230) + rest
    try #require(rows.count == texts.count && rows.count > 400)
    for (text, row) in zip(texts, rows) {
      let ids = tokenizer.encode(text, addSpecial: false, parseSpecial: false)
      #expect(ids.map { Int($0) } == row, "\(text.debugDescription)")
    }
  }

  private struct Case: Decodable {
    let text: String
    let ids: [Int32]
    let decoded: String
  }

  @Test(arguments: kinds) func specialTokensEqualTheReference(kind: String) throws {
    let tokenizer = try Self.tokenizer(kind)
    let all = try JSONDecoder().decode(
      [String: [Case]].self, from: Fixtures.data("checkpoints/special.json"))
    for item in try #require(all[kind]) {
      let ids = tokenizer.encode(item.text, addSpecial: true, parseSpecial: true)
      #expect(ids == item.ids, "\(item.text.debugDescription)")
      // The reference takes an added token's letters for stand-ins of bytes, and breaks them.
      if item.decoded.unicodeScalars.contains("\u{FFFD}") { continue }
      #expect(
        Array(tokenizer.decode(item.ids).utf8) == Array(item.decoded.utf8),
        "\(item.text.debugDescription)")
    }
  }

  /// SmolLM2's own, written as a `tokenizer.json` from what its GGUF file says.
  @Test func aWholeVocabularyEqualsTheOneInGGUF() throws {
    let file = try GGUFFile(path: ModelFolder.smollm)
    let tokens = try #require(file.strings("tokenizer.ggml.tokens"))
    let kinds = try #require(file.ints("tokenizer.ggml.token_type"))
    let merges = try #require(file.strings("tokenizer.ggml.merges"))
    let added = tokens.indices.filter { kinds[$0] == 3 }.map { id -> [String: Any] in
      ["id": id, "content": tokens[id], "special": true, "normalized": false]
    }
    let description: [String: Any] = [
      "added_tokens": added,
      "pre_tokenizer": [
        "type": "Sequence",
        "pretokenizers": [
          ["type": "Digits", "individual_digits": true],
          ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
        ],
      ],
      "model": [
        "type": "BPE", "merges": merges,
        "vocab": Dictionary(uniqueKeysWithValues: zip(tokens, tokens.indices)),
      ],
    ]
    let folder = try CheckpointFiles()
    try folder.write(JSONSerialization.data(withJSONObject: description), "tokenizer.json")
    try folder.write(
      #"{"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}}"#,
      "tokenizer_config.json")
    let tokenizer = try makeTokenizer(checkpoint: folder.path)
    let other = try makeTokenizer(from: file)
    #expect(tokenizer.vocabularyCount == other.vocabularyCount)
    #expect(tokenizer.endTokens == other.endTokens)
    #expect(tokenizer.beginningOfText == 1 && tokenizer.endOfText == 2)
    for line in Fixtures.lines {
      for parse in [true, false] {
        #expect(
          tokenizer.encode(line, addSpecial: false, parseSpecial: parse)
            == other.encode(line, addSpecial: false, parseSpecial: parse))
      }
    }
    for id in Int32(0)..<Int32(other.vocabularyCount) {
      #expect(tokenizer.bytes(of: id) == other.bytes(of: id))
    }
  }

  // MARK: - Settings beside it

  @Test func endTokensAndTemplateComeFromTheFilesBeside() throws {
    let folder = try CheckpointFiles()
    try folder.write(Fixtures.data("checkpoints/gemma.json"), "tokenizer.json")
    try folder.write(#"{"eos_token_id": 0}"#, "config.json")
    #expect(try makeTokenizer(checkpoint: folder.path).endOfText == 0)
    try folder.write(#"{"eos_token_id": [2, 705]}"#, "generation_config.json")
    try folder.write(
      #"{"bos_token": "<s>", "add_bos_token": false, "chat_template": "one"}"#,
      "tokenizer_config.json")
    let tokenizer = try makeTokenizer(checkpoint: folder.path)
    #expect(tokenizer.endOfText == 2)
    #expect(tokenizer.endTokens.isSuperset(of: [2, 705]))
    #expect(tokenizer.beginningOfText == 1)
    #expect(tokenizer.encode("", addSpecial: true, parseSpecial: false) == [])
    #expect(try ChatTemplate(checkpoint: folder.path)?.source == "one")
    try folder.write(
      #"{"chat_template": [{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]}"#,
      "tokenizer_config.json")
    #expect(try ChatTemplate(checkpoint: folder.path)?.source == "b")
    try folder.write(
      #"{"chat_template": [{"name": "tool_use", "template": "a"}]}"#, "tokenizer_config.json")
    #expect(throws: TokenizerError.self) { try ChatTemplate(checkpoint: folder.path) }
    try folder.write("own", "chat_template.jinja")
    #expect(try ChatTemplate(checkpoint: folder.path)?.source == "own")
    #expect(try ChatTemplate(checkpoint: CheckpointFiles().path) == nil)
  }

  // MARK: - What is not understood

  /// A value in a good file made another, and the field that the error names.
  @Test(arguments: [
    ("\"type\":\"BPE\"", "\"type\":\"Unigram\"", "model.type"),
    ("\"dropout\":null", "\"dropout\":0.1", "model.dropout"),
    ("\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"</w>\"", "model.end_of_word_suffix"),
    ("\"byte_fallback\":false", "\"byte_fallback\":true", "model.byte_fallback"),
    ("\"byte_fallback\":false", "\"byte_fallback\":3", "model.byte_fallback"),
    ("{1,3}", "{1,4}", "pre_tokenizer.pretokenizers[0].pattern.Regex"),
    ("Isolated", "MergedWithNext", "pre_tokenizer.pretokenizers[0].behavior"),
    ("\"invert\":false", "\"invert\":true", "pre_tokenizer.pretokenizers[0].invert"),
    (
      "\"add_prefix_space\":false", "\"add_prefix_space\":true",
      "pre_tokenizer.pretokenizers[1].add_prefix_space"
    ),
    (
      "\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}", "normalizer.type"
    ),
    ("\"TemplateProcessing\"", "\"BertProcessing\"", "post_processor.type"),
    ("\"id\":\"<|begin_of_text|>\"", "\"id\":\"<nothing>\"", "SpecialToken.id"),
    ("\"lstrip\":false", "\"lstrip\":true", "added_tokens[0].lstrip"),
    ("\"single_word\":false", "\"single_word\":true", "added_tokens[0].single_word"),
    ("\"id\":700", "\"id\":-1", "added_tokens[0].id"), ("\"id\":700", "\"id\":7", "added_tokens"),
    ("\"id\":700", "\"id\":3000000", "model.vocab"),
    ("\"merges\":[", "\"merges\":[[\"a\"],", "model.merges[0]"),
    ("\"merges\":[", "\"merges\":[3,", "model.merges[0]"),
    ("\"merges\":[", "\"merges\":[\"qx zq\",", "model.merges[0]"),
    ("\"merges\":[", "\"merges\":[\" a\",", "model.merges[0]"),
    ("\"merges\"", "\"mergers\"", "model.merges"), ("\"vocab\"", "\"vocabulary\"", "model.vocab"),
    ("\"vocab\":{", "\"vocab\":{\"twice\":9,", "model.vocab"),
    ("\"vocab\":{", "\"vocab\":{\"far\":4000000,", "model.vocab.far"),
    ("\"vocab\":{", "\"vocab\":{", "tokenizer.json"),
  ])
  func whatIsNotUnderstoodIsNamed(from: String, to: String, field: String) throws {
    let compact = try String(decoding: Fixtures.data("checkpoints/llama3.json"), as: UTF8.self)
      .replacing("\": ", with: "\":").replacing(", \"", with: ",\"")
    let found = try #require(compact.range(of: from))
    // Where nothing is changed, the file ends early.
    let text =
      from == to ? String(compact.dropLast(9)) : compact.replacingCharacters(in: found, with: to)
    let folder = try CheckpointFiles()
    try folder.write(text, "tokenizer.json")
    let error = #expect(throws: TokenizerError.self) {
      try makeTokenizer(checkpoint: folder.path)
    }
    #expect(error?.field.contains(field) == true, "\(String(describing: error))")
  }

  @Test func aMissingFileIsNamed() throws {
    let folder = try CheckpointFiles()
    let error = #expect(throws: TokenizerError.self) {
      try makeTokenizer(checkpoint: folder.path)
    }
    #expect(error?.field == "tokenizer.json")
    try folder.write(String(repeating: "[", count: 100_000), "tokenizer.json")
    #expect(throws: TokenizerError.self) { try makeTokenizer(checkpoint: folder.path) }
    try folder.write(Fixtures.data("checkpoints/gemma.json"), "tokenizer.json")
    try folder.write(#"{"eos_token_id": [2, 9999]}"#, "generation_config.json")
    let id = #expect(throws: TokenizerError.self) { try makeTokenizer(checkpoint: folder.path) }
    #expect(id?.field == "generation_config.json eos_token_id[1]")
  }

  @Test func damagedFilesNeverCrash() throws {
    var random = SystemRandomNumberGenerator()
    let folder = try CheckpointFiles()
    var made = 0
    for kind in ["llama3", "gemma", "metaspace"] {
      let original = try Fixtures.data("checkpoints/\(kind).json")
      for _ in 0..<150 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let index = Int.random(in: 0..<bytes.count, using: &random)
          bytes[index] = UInt8.random(in: 0x20...0x7E, using: &random)
        }
        try folder.write(bytes, "tokenizer.json")
        do throws(TokenizerError) {
          let tokenizer = try makeTokenizer(checkpoint: folder.path)
          made += 1
          let ids = tokenizer.encode(
            "The law, das Gesetz, 法律\n\t<s>é", addSpecial: true, parseSpecial: true)
          #expect(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularyCount })
          _ = tokenizer.decode(ids)
        } catch {
          #expect(error.field.hasPrefix("tokenizer.json"))
        }
      }
    }
    #expect(made > 0)
  }

  /// Text must not become a control token by way of merges.
  @Test func mergesGiveNoControlTokens() throws {
    let folder = try CheckpointFiles()
    try folder.write(
      """
      {"added_tokens": [{"id": 2, "content": "ab", "special": true}],
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
       "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
      """, "tokenizer.json")
    let tokenizer = try makeTokenizer(checkpoint: folder.path)
    #expect(tokenizer.encode("ab", addSpecial: false, parseSpecial: false) == [0, 1])
    #expect(tokenizer.encode("ab", addSpecial: false, parseSpecial: true) == [2])
  }
}
