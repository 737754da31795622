import Grammar
import Testing

@Suite struct TokenConstraintTests {
  private static let tokenizer = ListedTokenizer(
    bytesAnd: [
      "{\"", "\": ", "\", \"", "\"}", "name", "nam", "age", "true", "false", "null", "123", " ",
      "  ", "\n  ", "},", "}}",
      "é", "日本", "\\\"", "\\u00", "ab", "abc", "\", ", "\":", "[", "]]", "\u{0}",
    ])
  private static let table = TokenTable(tokenizer)

  private static let grammars: [Grammar] = [
    #"{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "maximum": 120}}, "required": ["name"]}"#,
    #"{"type": "array", "items": {"enum": ["ab", "abc", "é", 123, true]}}"#,
    #"{"type": "string", "pattern": "^(ab|c)*$"}"#,
    #"{}"#,
  ].compactMap { text in (try? schema(text)).flatMap { try? Grammar.json(schema: $0) } }

  /// At every step of a random text, the mask has just the tokens that can be taken.
  @Test(arguments: [0, 1, 2, 3]) func maskIsWhatCanBeTaken(index: Int) throws {
    var generator = SystemRandomNumberGenerator()
    let grammar = try #require(
      Self.grammars.indices.contains(index) ? Self.grammars[index] : nil)
    let vocabulary = Self.tokenizer.vocabularyCount
    for _ in 0..<5 {
      let constraint = try TokenConstraint(grammar, Self.table)
      var taken: [Int32] = []
      for _ in 0..<25 where !constraint.isComplete {
        var logits = [Float](repeating: 1, count: vocabulary + 3)
        try logits.withUnsafeMutableBufferPointer { try constraint.mask($0) }
        var possible: [Int32] = []
        for token in 0..<Int32(vocabulary) {
          let copy = try TokenConstraint(grammar, Self.table)
          for token in taken { _ = try copy.take(token) }
          let isTaken = try copy.take(token)
          #expect((logits[Int(token)] == 1) == isTaken)
          if isTaken { possible.append(token) }
        }
        #expect(logits.suffix(3).allSatisfy { $0 == -.infinity })
        let token = try #require(possible.randomElement(using: &generator))
        #expect(try constraint.take(token))
        taken.append(token)
      }
    }
  }

  @Test func anEndIsTakenWhereTheTextIsWhole() throws {
    let grammar = try Grammar.json(schema: schema(#"{"type": "integer"}"#))
    let constraint = try TokenConstraint(grammar, byteTable)
    #expect(try !constraint.take(256))
    #expect(try constraint.take(0x31))
    // More digits may follow.
    #expect(!constraint.isComplete)
    #expect(try !constraint.take(0x61))
    #expect(try constraint.take(256))
    #expect(constraint.isComplete)
    #expect(try !constraint.take(0x31))
  }

  @Test func aWholeTextThatNothingFollowsIsComplete() throws {
    let grammar = try Grammar.json(schema: schema(#"{"const": true}"#))
    let constraint = try TokenConstraint(grammar, Self.table)
    let word = Int32(256 + 7)
    #expect(Self.tokenizer.bytes(of: word) == Array("true".utf8))
    #expect(try constraint.take(word))
    #expect(constraint.isComplete)
  }

  @Test func aVocabularyThatCannotSayItIsAnError() throws {
    let grammar = try Grammar.json(schema: schema(#"{"const": "x"}"#))
    let table = TokenTable(ListedTokenizer([[0x22], [0x61]]))
    let constraint = try TokenConstraint(grammar, table)
    #expect(try constraint.take(0))
    var logits = [Float](repeating: 0, count: 3)
    #expect(throws: GrammarError.noTokenFits) {
      try logits.withUnsafeMutableBufferPointer { try constraint.mask($0) }
    }
  }

  /// Thousands of ways that stay open at each byte: an error before they hold anybody up.
  @Test func aFormatOfTooManyWaysIsAnError() throws {
    let grammar = try Grammar.json(
      schema: schema(#"{"type": "string", "pattern": "^(.{0,40}a.{0,40}b){0,40}$"}"#))
    let texts = (0..<6_000).map { index in
      String("\(index)".map { Array("ababacbbca")[$0.wholeNumberValue ?? 0] }) + "\(index)"
    }
    let table = TokenTable(ListedTokenizer(bytesAnd: texts))
    let constraint = try TokenConstraint(grammar, table)
    var logits = [Float](repeating: 0, count: 6_300)
    #expect(try constraint.take(0x22))
    #expect(throws: GrammarError.self) {
      for _ in 0..<400 {
        try logits.withUnsafeMutableBufferPointer { try constraint.mask($0) }
        _ = try constraint.take(Bool.random() ? 0x61 : 0x62)
      }
    }
  }

  /// Subsets that have to be told apart double with each letter: they are made as they are needed, forgotten, and
  /// nothing hangs or grows.
  @Test func aFormatOfManyStatesIsReadAllTheSame() throws {
    let grammar = try Grammar.json(
      schema: schema(#"{"type": "string", "pattern": "^(a|b)*a(a|b){400}(a|b)*$"}"#))
    let constraint = try TokenConstraint(grammar, byteTable)
    var generator = SplitMix64(seed: 1)
    #expect(try constraint.take(0x22))
    for _ in 0..<4_000 {
      #expect(try constraint.take(Bool.random(using: &generator) ? 0x61 : 0x62))
    }
    #expect(try constraint.take(0x22))
    #expect(constraint.isComplete)
  }

  /// A tokenizer with more tokens than the model has numbers for.
  @Test func aModelWithFewerNumbersThanTokens() throws {
    let texts = (0..<200).map { Array("\($0)".utf8) } + [[0x22]]
    let table = TokenTable(ListedTokenizer(texts))
    let constraint = try TokenConstraint(
      Grammar.json(schema: schema(#"{"type": "integer", "minimum": 100}"#)), table)
    for (count, fits) in [(201, true), (130, true), (64, true), (1, false)] {
      var logits = [Float](repeating: 0, count: count)
      let masked = Result {
        try logits.withUnsafeMutableBufferPointer { try constraint.mask($0) }
      }
      #expect(((try? masked.get()) != nil) == fits, "\(count)")
    }
  }

  /// What no token of the answer needs is forgotten, and reading goes on.
  @Test func manyStatesAreForgotten() throws {
    let grammar = try Grammar.json(schema: schema(#"{"type": "string", "maxLength": 20000}"#))
    let constraint = try TokenConstraint(grammar, byteTable)
    #expect(try constraint.take(0x22))
    for _ in 0..<20_000 { #expect(try constraint.take(0x61)) }
    #expect(try !constraint.take(0x61))
    #expect(try constraint.take(0x22))
    #expect(constraint.isComplete)
  }
}
