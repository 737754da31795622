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
      ##"{"allOf": [{"type": "string"}, {"type": "integer"}]}"##, "#/allOf/1/type", "allows nothing"
    ),
    (##"{"enum": []}"##, "#/enum", "list of values"),
    (##"{"type": "integer", "enum": ["a"]}"##, "#/enum", "no value of the type"),
    (##"{"anyOf": {}}"##, "#/anyOf", "list of schemas"),
    (##"{"properties": {"a": 3}}"##, "#/properties/a", "must be an object"),
    (##"[]"##, "#", "must be an object"),
    (##"false"##, "#", "takes no value"),
    (##"{"type": "array", "items": false, "minItems": 1}"##, "#", "minItems"),
    // Texts of these would never end.
    (##"{"properties": {"next": {"$ref": "#"}}, "required": ["next"]}"##, "#", "no finite text"),
    (##"{"$ref": "#"}"##, "#", "no finite text"),
    (
      ##"{"$defs": {"a": {"$ref": "#/$defs/b", "type": "string"}, "b": {"$ref": "#/$defs/a", "type": "string"}}, "$ref": "#/$defs/a"}"##,
      "#", "circle"
    ),
    (##"{"pattern": "((a{1000}){1000}){1000}"}"##, "#", "states"),
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
      #expect(try read(text, grammar) == .none || !(try read(text, grammar) == .whole), "\(text)")
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

  /// Any bytes as a schema give a grammar or an error.
  @Test func anySchemaIsAGrammarOrAnError() throws {
    var generator = SystemRandomNumberGenerator()
    let rows = try fixture("schemas.jsonl").compactMap { $0["schema"]?.json }
    for _ in 0..<1_000 {
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
}
