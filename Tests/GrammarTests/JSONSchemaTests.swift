import Grammar
import JSON
import Testing

/// Against the jsonschema package (`scripts/fixtures/json_schemas.py`), and against what is written down.
@Suite struct JSONSchemaTests {
  @Test func textsAreTakenAndRefusedAsTheReferenceDoes() throws {
    var taken = 0
    for row in try fixture("schemas.jsonl") {
      let schema = try #require(row["schema"])
      let grammar = try Grammar.json(schema: schema)
      let name = String(decoding: schema.json, as: UTF8.self)
      for text in row["valid"]?.texts ?? [] {
        taken += 1
        #expect(try read(text, grammar) == .whole, "\(name) does not take \(text)")
      }
      for text in row["invalid"]?.texts ?? [] {
        let reading = try read(text, grammar)
        #expect(reading != .whole, "\(name) takes \(text)")
      }
    }
    #expect(taken > 900)
  }

  @Test func boundsAreKeptToTheDigit() throws {
    for row in try fixture("ranges.jsonl") {
      let schema = try #require(row["schema"])
      let grammar = try Grammar.json(schema: schema)
      let name = String(decoding: schema.json, as: UTF8.self)
      for text in row["valid"]?.texts ?? [] {
        #expect(try read(text, grammar) == .whole, "\(name) does not take \(text)")
      }
      for text in row["invalid"]?.texts ?? [] {
        let reading = try read(text, grammar)
        #expect(reading != .whole, "\(name) takes \(text)")
      }
    }
  }

  @Test func patternsMatchAsTheReferencesDo() throws {
    for row in try fixture("patterns.jsonl") {
      let pattern = try #require(row["pattern"])
      let grammar = try Grammar.json(
        schema: .object([("type", .string("string")), ("pattern", pattern)]))
      for text in row["matching"]?.texts ?? [] {
        let json = JSONValue.string(text).json
        #expect(try read(json, grammar) == .whole, "\(pattern) does not match \(text)")
      }
      for text in row["others"]?.texts ?? [] {
        let reading = try read(JSONValue.string(text).json, grammar)
        #expect(reading != .whole, "\(pattern) matches \(text)")
      }
    }
  }

  @Test(arguments: [
    (##"{"type": "object", "patternProperties": {"a": {}}}"##, "#", "patternProperties"),
    (##"{"properties": {"a/b": {"not": {}}}}"##, "#/properties/a~1b", "'not'"),
    (##"{"items": {"uniqueItems": true}}"##, "#/items", "uniqueItems"),
    (##"{"type": "integer", "multipleOf": 5}"##, "#", "multipleOf"),
    (##"{"type": "text"}"##, "#/type", "must be of null, boolean"),
    (##"{"$ref": "#/$defs/none"}"##, "#/$ref", "not there"),
    (##"{"$ref": "https://example.org/a.json"}"##, "#/$ref", "into the schema itself"),
    (##"{"pattern": "(?=a)"}"##, "#/pattern", "ahead or back"),
    (##"{"pattern": "a\\b"}"##, "#/pattern", "\\b"),
    (##"{"pattern": "(a"}"##, "#/pattern", "without its ')'"),
    (##"{"pattern": "a{3,2}"}"##, "#/pattern", "counts"),
    (##"{"pattern": "a**"}"##, "#/pattern", "behind another"),
    (##"{"pattern": "a{2}{3}"}"##, "#/pattern", "behind another"),
    (##"{"pattern": "a+?*"}"##, "#/pattern", "behind another"),
    (##"{"pattern": "a++"}"##, "#/pattern", "possessive"),
    (##"{"minLength": 3, "maxLength": 2}"##, "#", "minLength is larger"),
    (##"{"minLength": -1}"##, "#/minLength", "whole number"),
    (##"{"minimum": 3, "maximum": 2}"##, "#", "no number is within"),
    (
      ##"{"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}"##, "#",
      "no number is within"
    ),
    (
      ##"{"required": ["a"], "properties": {}, "additionalProperties": false}"##, "#/required",
      "'a'"
    ),
    (
      ##"{"allOf": [{"type": "string"}, {"type": "integer"}]}"##, "#", "takes no value beside"
    ),
    (##"{"enum": []}"##, "#/enum", "list of values"),
    (##"{"type": "integer", "enum": ["a"]}"##, "#/enum", "no value of the type"),
    (##"{"anyOf": {}}"##, "#/anyOf", "list of schemas"),
    (##"{"properties": {"a": 3}}"##, "#/properties/a", "must be an object"),
    (##"[]"##, "#", "must be an object"),
    (##"false"##, "#", "takes no value"),
    (##"{"type": "array", "items": false, "minItems": 1}"##, "#", "minItems"),
    // Texts of these would never end.
    (##"{"properties": {"next": {"$ref": "#"}}, "required": ["next"]}"##, "#", "comes to an end"),
    (##"{"$ref": "#"}"##, "#", "comes to an end"),
    (##"{"allOf": [{"$ref": "#"}, {}]}"##, "#", "comes to an end"),
    (
      ##"{"type": "number", "anyOf": [{"$ref": "#"}, {"minimum": 1, "maximum": 0}]}"##, "#",
      "no number is within"
    ),
    (##"{"anyOf": [false, false]}"##, "#/anyOf", "no schema that takes a value"),
    (
      ##"{"type": "object", "required": ["z"], "unevaluatedProperties": false}"##, "#/required",
      "'z'"
    ),
    (##"{"type": "object", "unevaluatedProperties": {}}"##, "#", "true and false alone"),
    (##"{"multipleOf": 1}"##, "#", "without 'type'"),
    (
      ##"{"type": "array", "minItems": 1, "allOf": [{"prefixItems": [{"type": "string"}]}, {"items": {"type": "integer"}}]}"##,
      "#/prefixItems/0", "takes no value"
    ),
    (
      ##"{"$defs": {"a": {"$ref": "#/$defs/b", "type": "string"}, "b": {"$ref": "#/$defs/a", "type": "string"}}, "$ref": "#/$defs/a"}"##,
      "#", "circle"
    ),
    (
      ##"{"pattern": "\##(String(repeating: "a{4096}|", count: 26))b"}"##, "#", "states"
    ),
  ])
  func whatCannotBeKeptToIsAnError(text: String, path: String, problem: String) throws {
    let schema = try schema(text)
    let error = #expect(throws: JSONSchemaError.self) { try Grammar.json(schema: schema) }
    #expect(error?.path.hasPrefix(path) == true, "\(String(describing: error))")
    #expect(error?.problem.contains(problem) == true, "\(String(describing: error))")
  }

  @Test func remarksShutNothingOut() throws {
    let grammar = try Grammar.json(
      schema: schema(
        #"{"$schema": "x", "title": "T", "description": "d", "default": 1, "examples": [1], "type": "integer", "x-own": {}}"#
      ))
    #expect(try read("12", grammar) == .whole)
  }

  /// A reference back to the beginning without a byte in between.
  @Test func leftRecursionEnds() throws {
    let grammar = try Grammar.json(
      schema: schema(##"{"anyOf": [{"$ref": "#"}, {"type": "integer"}]}"##))
    #expect(try read("12", grammar) == .whole)
    #expect(try read("a", grammar) == .none)
  }

  @Test func thousandsOfValues() throws {
    let values = (0..<9_000).map { JSONValue.string("value \($0 * 7)") }
    let grammar = try Grammar.json(schema: .object([("enum", .array(values))]))
    #expect(try read(#""value 35""#, grammar) == .whole)
    #expect(try read(#""value 36""#, grammar) == .none)
  }

  @Test func anyObjectIsAnObject() throws {
    let grammar = try #require(Grammar.jsonObject)
    for text in [
      "{}", "{\"a\": [1, 2.5e-3, {\"b\": null}], \"c\": \"\\u00e9\\ud83d\\ude00\"}",
      "{\n  \"a\": true\n}",
    ] {
      #expect(try read(text, grammar) == .whole, "\(text)")
    }
    for text in [
      "[]", " {}", "1", "{\"a\" 1}", "{\"a\": 01}", "{\"a\": \"\\ud83d\"}", "{'a': 1}", "{}}",
      "{\"a\": 1,}", "{\"\u{1}\": 1}",
    ] {
      let reading = try read(text, grammar)
      #expect(reading != .whole, "\(text)")
    }
    // White space does not go on without end.
    #expect(try read("{" + String(repeating: "\n", count: 3), grammar) == .none)
    #expect(try read("{\n" + String(repeating: " ", count: 60), grammar) == .none)
    // Nor do brackets.
    let deep = String(repeating: "{\"a\":", count: 500)
    #expect(try read(deep, grammar) == .none)
  }

  @Test func stringsAreUTF8() throws {
    let grammar = try Grammar.json(schema: schema(#"{"type": "string"}"#))
    for scalar in ["a", "é", "߿", "ࠀ", "퟿", "\u{E000}", "\u{FFFF}", "𐀀", "\u{10FFFF}"] {
      #expect(try read("\"\(scalar)\"", grammar) == .whole)
    }
    for bytes: [UInt8] in [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
      [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3], [0xE2, 0x82],
    ] {
      #expect(try read([0x22] + bytes + [0x22], grammar) == .none)
    }
  }

  /// Of OpenAPI's kind, and through `allOf` and `anyOf`: what holds itself is a rule that calls itself.
  @Test(arguments: [
    ##"{"type": "object", "properties": {"v": {"type": "integer"}, "c": {"$ref": "#", "nullable": true}}}"##,
    ##"{"type": "object", "properties": {"v": {"type": "integer"}, "c": {"anyOf": [{"allOf": [{"$ref": "#"}, {"description": "d"}]}, {"type": "null"}]}}}"##,
    ##"{"type": "object", "anyOf": [{"$ref": "#/$defs/a"}, {"properties": {"v": {"type": "integer"}, "c": {"type": "null"}}}], "$defs": {"a": {"properties": {"v": {"type": "integer"}, "c": {"$ref": "#"}}}}}"##,
  ])
  func recursionThroughMergedSchemas(text: String) throws {
    let grammar = try Grammar.json(schema: schema(text))
    for text in [
      "{}", #"{"v": 1, "c": null}"#, #"{"v": 1, "c": {"v": 2, "c": {"c": {"v": 3}}}}"#,
    ] {
      #expect(try read(text, grammar) == .whole, "\(text)")
    }
    #expect(try read(#"{"v": 1, "c": {"v": null"#, grammar) == .none)
  }

  /// OpenAPI's `nullable` holds where each of several schemas has it.
  @Test func nullHasToBeAllowedByAll() throws {
    for (text, takesNull) in [
      (#"{"allOf": [{"type": "string", "nullable": true}, {"type": "string"}]}"#, false),
      (#"{"allOf": [{"type": "string", "nullable": true}, {"type": ["string", "null"]}]}"#, true),
      (#"{"allOf": [{"type": "string", "nullable": true}, {"maxLength": 3}]}"#, true),
      (#"{"allOf": [{"maxLength": 3}, {"type": "string", "nullable": true}]}"#, true),
    ] {
      let grammar = try Grammar.json(schema: schema(text))
      #expect(try (read("null", grammar) == .whole) == takesNull, "\(text)")
      #expect(try read(#""abc""#, grammar) == .whole)
    }
  }

  /// Two kilobytes that mean millions of schemas, and a class of ten thousand characters.
  @Test func muchOfLittleIsWorkedOutOnce() throws {
    var definitions: [(String, JSONValue)] = []
    func reference(_ name: String) -> JSONValue {
      .object([("$ref", .string("#/$defs/" + name))])
    }
    for index in 0..<40 {
      for (one, other) in [("p", "q"), ("q", "p")] {
        definitions.append(
          (
            "\(one)\(index)",
            .object([
              (
                "allOf",
                .array([reference("\(one)\(index + 1)"), reference("\(other)\(index + 1)")])
              )
            ])
          ))
      }
    }
    definitions += [
      ("p40", try schema(#"{"type": "integer"}"#)), ("q40", try schema(#"{"minimum": 3}"#)),
    ]
    let grammar = try Grammar.json(
      schema: .object([
        ("$defs", .object(definitions.map { (key: $0.0, value: $0.1) })),
        ("$ref", .string("#/$defs/p0")),
      ]))
    #expect(try read("3", grammar) == .whole)
    #expect(try read("2", grammar) == .none || read("2", grammar) == .beginning)

    let letters = String(
      String.UnicodeScalarView((0..<10_000).compactMap { Unicode.Scalar(0x4E00 + 2 * $0) }))
    let pattern = JSONValue.object([
      ("type", .string("string")), ("pattern", .string("^[\(letters)]$")),
    ])
    let characters = try Grammar.json(schema: pattern)
    #expect(try read("\"\u{4E02}\"", characters) == .whole)
    #expect(try read("\"\u{4E03}\"", characters) == .none)
  }

  /// What means nothing is repeated without end, and much is worked out again: neither takes long.
  @Test func repetitionsOfNothingAndOfMuch() throws {
    let nothing = try Grammar.json(
      schema: schema(
        #"{"type": "string", "pattern": "^(?:(?:(?:(?:){4096}){4096}|){4096}a{0}){4096}$"}"#))
    #expect(try read("\"\"", nothing) == .whole)
    #expect(try read("\"a", nothing) == .none)
    let letters = String(
      String.UnicodeScalarView((0..<10_000).compactMap { Unicode.Scalar(0x4E00 + 2 * $0) }))
    let much = JSONValue.object([
      ("type", .string("string")), ("pattern", .string("^(?:[\(letters)]x){4096}$")),
    ])
    _ = try Grammar.json(schema: much)
    // A chain of definitions that thousands of references go through.
    var links = (0..<63).map { index in
      (
        key: "a\(index)",
        value: JSONValue.object(
          [("$ref", .string("#/$defs/a\(index + 1)"))]
            + (0..<300).map { (key: "k\($0)", value: .int(0)) })
      )
    }
    links.append(("a63", try schema(#"{"properties": {"x": {}}}"#)))
    let references = [JSONValue](
      repeating: .object([("$ref", .string("#/$defs/a0"))]), count: 2_000)
    let error = #expect(throws: JSONSchemaError.self) {
      try Grammar.json(
        schema: .object([
          ("type", .string("object")), ("anyOf", .array(references)), ("$defs", .object(links)),
        ]))
    }
    #expect(error?.problem.contains("means too much") == true)
  }

  /// Names that must be there and are no properties: any value, where nothing shuts others out.
  @Test func requiredNamesWithoutAProperty() throws {
    let grammar = try Grammar.json(
      schema: schema(#"{"type": "object", "properties": {"a": {}}, "required": ["a", "b"]}"#))
    #expect(try read(#"{"a": 1, "b": [2]}"#, grammar) == .whole)
    #expect(try read(#"{"a": 1}"#, grammar) == .none)
  }

  /// Where not all has to be kept to, the rest is.
  @Test func whatIsNotStrictKeepsWhatCanBeKept() throws {
    for (text, whole, other) in [
      (#"{"type": "number", "maximum": 1.7976931348623157e308, "minimum": 2}"#, "3", "-"),
      (#"{"type": "string", "pattern": "^a+$", "maxLength": 3}"#, "\"aaaa\"", "\"b"),
      (#"{"type": "string", "pattern": "(?=a)b"}"#, "\"x\"", "1"),
      (#"{"enum": ["a", "b"], "minLength": 1}"#, "\"a\"", "\"c"),
      (#"{"type": "array", "uniqueItems": true, "items": {"type": "null"}}"#, "[null, null]", "[1"),
    ] {
      let value = try schema(text)
      #expect(throws: JSONSchemaError.self) { try Grammar.json(schema: value) }
      let grammar = try Grammar.json(schema: value, isStrict: false)
      #expect(try read(whole, grammar) == .whole, "\(text)")
      #expect(try read(other, grammar) == .none, "\(text)")
    }
    let typo = try schema(#"{"type": "strng"}"#)
    #expect(throws: JSONSchemaError.self) { try Grammar.json(schema: typo, isStrict: false) }
  }

  /// What can't be finished within the depth that is followed is not begun.
  @Test func whatIsBegunCanBeFinished() throws {
    let grammar = try Grammar.json(
      schema: schema(##"{"type": "object", "properties": {"c": {"$ref": "#"}}}"##))
    let constraint = try TokenConstraint(grammar, byteTable)
    func take(_ text: String) throws -> Bool {
      for byte in text.utf8 where try !constraint.take(Int32(byte)) { return false }
      return true
    }
    var depth = 1
    #expect(try take("{"))
    while try constraint.take(Int32(UInt8(ascii: "\""))) {
      #expect(try take(#"c":{"#))
      depth += 1
    }
    #expect(depth > 100)
    for _ in 0..<depth { #expect(try constraint.take(Int32(UInt8(ascii: "}")))) }
    #expect(constraint.isComplete)
    // A chain that is longer than that is no schema for anybody.
    let links = (0..<200).map { index in
      (
        key: "c\(index)",
        value: JSONValue.object([
          ("type", .string("object")), ("required", .array([.string("x")])),
          (
            "properties",
            .object([("x", .object([("$ref", .string("#/$defs/c\((index + 1) % 200)"))]))])
          ),
        ])
      )
    }
    #expect(throws: JSONSchemaError.self) {
      try Grammar.json(
        schema: .object([("$defs", .object(links)), ("$ref", .string("#/$defs/c0"))]))
    }
  }

  @Test func numbersAreFinite() throws {
    let grammar = try Grammar.json(schema: schema(#"{"type": "number"}"#))
    #expect(try read("999999999999999e99", grammar) == .whole)
    #expect(try read("1e100", grammar) == .none)
  }

  /// Any bytes as a schema give a grammar or an error.
  @Test(arguments: 0..<4 as Range<UInt64>) func anySchemaIsAGrammarOrAnError(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let rows = try fixture("schemas.jsonl").compactMap { $0["schema"]?.json }
    for _ in 0..<300 {
      var bytes = try #require(rows.randomElement(using: &generator))
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let other = try #require(rows.randomElement(using: &generator))
        let cut = Int.random(in: 0..<other.count, using: &generator)
        let piece = other[cut..<min(other.count, cut + Int.random(in: 1...12, using: &generator))]
        let place = Int.random(in: 0...bytes.count, using: &generator)
        bytes.replaceSubrange(
          place..<min(bytes.count, place + Int.random(in: 0...piece.count, using: &generator)),
          with: piece)
      }
      guard let value = try? JSONParser.parse(bytes), let grammar = try? Grammar.json(schema: value)
      else { continue }
      _ = try? read("{\"a\": 1}", grammar)
    }
  }

  /// Schemas put together at random, that refer to each other in any way: a grammar or an error, and whoever writes
  /// by such a grammar, at random, is never left without a byte to go on with.
  @Test(arguments: 0..<6 as Range<UInt64>) func randomSchemasLeaveNobodyStuck(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    var grammars = 0
    for _ in 0..<120 {
      var random = RandomSchema(generator)
      let value = random.root()
      generator = random.generator
      guard let grammar = try? Grammar.json(schema: value) else { continue }
      grammars += 1
      let name = String(decoding: value.json, as: UTF8.self)
      let constraint = try TokenConstraint(grammar, byteTable)
      var logits = [Float](repeating: 0, count: 257)
      for _ in 0..<60 where !constraint.isComplete {
        for index in logits.indices { logits[index] = 0 }
        do {
          try logits.withUnsafeMutableBufferPointer { try constraint.mask($0) }
        } catch GrammarError.noTokenFits {
          Issue.record("stuck: \(name)")
          break
        } catch {
          break
        }
        let allowed = logits.indices.filter { logits[$0] == 0 }
        let next = try #require(allowed.randomElement(using: &generator))
        #expect(try constraint.take(Int32(next)), "\(name)")
      }
    }
    #expect(grammars > 20)
  }
}

/// Small schemas of all keywords.
private struct RandomSchema {
  var generator: SplitMix64
  private static let names = ["a", "b", "c"]

  init(_ generator: SplitMix64) { self.generator = generator }

  mutating func root() -> JSONValue {
    guard case .object(var pairs) = schema(3) else { return .bool(true) }
    pairs.append(
      ("$defs", .object(Self.names.map { (key: $0, value: schema(2)) })))
    return .object(pairs)
  }

  private mutating func chance(_ share: Double) -> Bool {
    Double.random(in: 0..<1, using: &generator) < share
  }

  private mutating func list(_ depth: Int) -> JSONValue {
    .array((0..<Int.random(in: 1...3, using: &generator)).map { _ in schema(depth - 1) })
  }

  private mutating func schema(_ depth: Int) -> JSONValue {
    if chance(0.05) { return .bool(chance(0.7)) }
    var pairs: [(key: String, value: JSONValue)] = []
    if chance(0.3) {
      let place = ["#", "#/$defs/a", "#/$defs/b", "#/$defs/c"].randomElement(using: &generator)
      pairs.append(("$ref", .string(place ?? "#")))
    }
    if depth > 0 {
      for keyword in ["allOf", "anyOf", "oneOf"] where chance(0.15) {
        pairs.append((keyword, list(depth)))
      }
      if chance(0.5) {
        let names = Self.names.filter { _ in chance(0.6) }
        pairs.append(("properties", .object(names.map { (key: $0, value: schema(depth - 1)) })))
      }
      if chance(0.2) { pairs.append(("additionalProperties", schema(depth - 1))) }
      if chance(0.2) { pairs.append(("items", schema(depth - 1))) }
      if chance(0.15) { pairs.append(("prefixItems", list(depth))) }
    }
    if chance(0.6) {
      let kinds = ["object", "object", "array", "string", "integer", "number", "null", "boolean"]
      let chosen = kinds.filter { _ in chance(0.3) }
      if !chosen.isEmpty { pairs.append(("type", .array(chosen.map { .string($0) }))) }
    }
    for (keyword, limit) in [("minItems", 2), ("maxItems", 4), ("minLength", 2), ("maxLength", 5)]
    where chance(0.1) {
      pairs.append((keyword, .int(Int.random(in: 0...limit, using: &generator))))
    }
    for keyword in ["minimum", "maximum", "exclusiveMinimum"] where chance(0.1) {
      pairs.append((keyword, .int(Int.random(in: -20...20, using: &generator))))
    }
    if chance(0.15) { pairs.append(("required", .array([.string("a")]))) }
    if chance(0.1) { pairs.append(("nullable", .bool(true))) }
    if chance(0.1) { pairs.append(("enum", .array([.int(1), .double(2), .string("x"), .null]))) }
    if chance(0.1) { pairs.append(("pattern", .string("^a*b"))) }
    if chance(0.1) { pairs.append(("unevaluatedProperties", .bool(false))) }
    return .object(pairs)
  }
}
