import Generation
import Server
import Testing

/// `response_format` in the bodies of all routes that answer.
@Suite struct ResponseFormatTests {
  private static let messages = #""messages": [{"role": "user", "content": "x"}]"#
  private static let schema =
    #"{"type": "object", "properties": {"zebra": {"type": "string"}, "apple": {"type": "integer"}}}"#

  private func format(_ fields: String) throws -> AnswerFormat? {
    try decode(ChatCompletionBody.self, "{\(Self.messages), \(fields)}").fields.format
  }

  @Test func formatsAreTaken() throws {
    #expect(try format(#""response_format": {"type": "text"}"#) == nil)
    #expect(try format(#""response_format": null"#) == nil)
    #expect(try format(#""response_format": {"type": "json_object"}"#) != nil)
    let named =
      #""response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": \#(Self.schema)}}"#
    let found = try #require(try format(named))
    // The properties in their order: an answer has them so.
    let json = String(decoding: found.requestField.json, as: UTF8.self)
    #expect(json.contains(#""zebra":{"type":"string"},"apple""#))
    #expect(json.hasPrefix(#"{"type":"json_schema","json_schema":{"name":"n""#))
    // As other servers have it.
    for fields in [
      #""json_schema": \#(Self.schema)"#,
      #""response_format": {"type": "json_schema", "schema": \#(Self.schema)}"#,
      #""response_format": {"type": "json_object", "schema": \#(Self.schema)}"#,
    ] {
      let format = try #require(try format(fields))
      #expect(
        format.requestField["json_schema"]?["schema"]
          == found.requestField["json_schema"]?["schema"])
    }
    let route = try decode(
      RouteBody.self, #"{"prompt": "x", "response_format": {"type": "json_object"}}"#)
    #expect(route.fields.format != nil)
    let text = try decode(
      CompletionBody.self, #"{"prompt": "x", "response_format": {"type": "json_object"}}"#)
    #expect(text.fields.format != nil)
    #expect(
      text.fields.parameters(defaultMaxTokens: 1, defaultTemperature: 0).format
        == text.fields.format)
  }

  @Test(arguments: [
    (#""response_format": "json""#, "invalid_type"),
    (#""response_format": {}"#, "invalid_type"),
    (#""response_format": {"type": "xml"}"#, "unsupported_parameter"),
    (#""response_format": {"type": "json_schema"}"#, "missing_field"),
    (#""response_format": {"type": "json_schema", "json_schema": {"name": "n"}}"#, "missing_field"),
    (
      #""response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}"#,
      "invalid_schema"
    ),
    (
      #""response_format": {"type": "json_schema", "json_schema": {"schema": 3}}"#, "invalid_schema"
    ),
  ])
  func whatIsNoFormatIsRefused(fields: String, code: String) {
    #expect(
      refusal(of: ChatCompletionBody.self, "{\(Self.messages), \(fields)}")
        == Refusal(400, code, "response_format"))
  }
}
