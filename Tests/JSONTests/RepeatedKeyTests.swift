import JSON
import Testing

@Suite struct RepeatedKeyTests {
  @Test(
    arguments: [
      (#"{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 2}]}"#, nil), ("[]", nil), ("1", nil),
      (#"{"a": 1, "a": 1}"#, "a"), (#"{"b": {"a": 1, "c": 2, "a": 3}}"#, "b.a"),
      (#"{"c": [1, {"a": 1, "a": 2}]}"#, "c[1].a"), (#"[[{"a": 1, "a": 2}]]"#, "[0][0].a"),
      // The same text, whichever way it is written.
      (#"{"a": 1, "\u0061": 2}"#, "a"),
      // Two keys, though Swift's texts are equal.
      ("{\"\u{e9}\": 1, \"e\u{301}\": 2}", nil),
    ] as [(String, String?)])
  func found(text: String, path: String?) throws {
    #expect(try JSONParser.parse(Array(text.utf8)).repeatedKey == path)
  }
}
