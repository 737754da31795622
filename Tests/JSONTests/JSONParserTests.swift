import Foundation
import JSON
import Testing

/// Against Foundation's reader.
@Suite struct JSONParserTests {
  private func parse(_ text: String) -> JSONValue? { try? JSONParser.parse(Array(text.utf8)) }

  private func isJSON(_ text: String) -> Bool {
    (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) != nil
  }

  @Test(arguments: [
    "0", "-0", "1", "-12", "0.5", "-0.25", "1e5", "1E+5", "1e-5", "12.50", "1.5e3",
    "9007199254740993",
    "123456789012345678901234567890",
  ])
  func numbers(text: String) throws {
    #expect(isJSON(text))
    switch try #require(parse(text)) {
    case .int(let int): #expect(Int(text) == int)
    case .double(let double): #expect(Double(text) == double)
    default: Issue.record("no number")
    }
  }

  @Test(arguments: [
    "+2", "03", "-03", ".5", "1.", "1.e3", "1e", "1e+", "-", "--1", "0x10", "1_000", "NaN",
    "Infinity", "01.5",
    "1 2", "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "\"\t\"", "\"\\x\"", "\"\\ud83d\"",
    "tru",
    "nulll", "[1 2]", "{\"a\" 1}", "\"a",
  ])
  func whatIsNone(text: String) {
    #expect(parse(text) == nil)
    #expect(!isJSON(text) || text == "{\"a\":1,}" || text == "[1,]", "Foundation takes it")
  }

  @Test func depthIsBounded() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(parse(nested(JSONParser.maximumDepth)) != nil)
    #expect(parse(nested(JSONParser.maximumDepth + 1)) == nil)
    #expect(parse(String(repeating: "{\"a\":", count: 1_000_000)) == nil)
  }

  @Test func membersKeepTheirOrder() throws {
    let value = try #require(parse(#"{"b": 1, "a": [true, null, "\u00e9\ud83d\ude00"], "b": 2}"#))
    guard case .object(let pairs) = value else {
      Issue.record("no object")
      return
    }
    #expect(pairs.map(\.key) == ["b", "a", "b"])
    #expect(value["a"] == .array([.bool(true), .null, .string("é😀")]))
  }
}
