import Generation
import JSON
import Thalamus
import Tokenization

/// The body of `POST /v1/responses`, OpenAI's successor of chat completions, as far as it needs nothing kept: each
/// request brings the whole conversation.
package struct ResponsesBody: Decodable, Sendable {
  package let model: String
  package let messages: [ChatMessage]
  package let streams: Bool
  package let routing: RoutingExtension
  package let fields: GenerationFields
  /// Functions that the answer may ask for; nil where it may not.
  package let tools: ToolUse?
  /// What the reply says again of the request, by the reply's names.
  package let echoed: [(key: String, value: JSONValue)]

  private enum CodingKeys: String, CodingKey {
    case model, input, instructions, stream, tools, text, thalamus, background, conversation, prompt
    case reasoning
    case toolChoice = "tool_choice"
    case parallelToolCalls = "parallel_tool_calls"
    case maxOutputTokens = "max_output_tokens"
    case previousResponseID = "previous_response_id"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    guard let body = try decoder.orderedBody() else {
      throw APIError.badRequest("the body must be an object", code: "invalid_type")
    }
    try decoder.refuseUnsupported(
      ["previous_response_id", "conversation", "prompt", "background"]
        + ResponseFormatBody.otherNames
    ) { name, value in name == "background" && (try? value.decode(Bool.self)) == false }
    model = try values.decodeIfPresent(String.self, forKey: .model) ?? "auto"
    var messages: [ChatMessage] = []
    if let instructions = try values.decodeIfPresent(String.self, forKey: .instructions) {
      messages.append(ChatMessage(role: "system", content: instructions))
    }
    messages += try ResponsesInput.messages(body[CodingKeys.input.stringValue])
    self.messages = messages
    streams = try values.decodeIfPresent(Bool.self, forKey: .stream) ?? false
    routing = try RoutingExtension(in: values, forKey: .thalamus, of: decoder)
    var fields = try GenerationFields(from: decoder)
    if let limit: Int = try values.wholeNumberIfPresent(forKey: .maxOutputTokens) {
      fields.maxTokens = limit
    }
    switch body[CodingKeys.reasoning.stringValue]?["effort"] {
    case nil, .null?: break
    case .string(let word)?:
      fields.reasoning.effort = try ReasoningBody.effort(word, param: "reasoning.effort")
    default:
      throw APIError.badRequest(
        "'reasoning.effort' must be a text", code: "invalid_type", param: "reasoning.effort")
    }
    if let format = body[CodingKeys.text.stringValue]?["format"], !format.isNull {
      fields.format = try ResponseFormatBody.format(Self.nested(format), param: "text.format")
    }
    self.fields = fields
    tools = try ToolsBody.use(
      of: Self.nestedTools(body[CodingKeys.tools.stringValue]),
      choice: body[CodingKeys.toolChoice.stringValue],
      allowsSeveral: values.decodeIfPresent(Bool.self, forKey: .parallelToolCalls))
    func echo(_ key: CodingKeys, _ absent: JSONValue) -> (key: String, value: JSONValue) {
      (key.stringValue, body[key.stringValue] ?? absent)
    }
    echoed = [
      echo(.instructions, .null), echo(.maxOutputTokens, .null),
      echo(.parallelToolCalls, .bool(true)),
      echo(.text, .object([("format", .object([("type", .string("text"))]))])),
      echo(.reasoning, .object([("effort", .null), ("summary", .null)])),
      echo(.toolChoice, .string("auto")), echo(.tools, .array([])),
      ("metadata", body["metadata"] ?? .object([])), ("temperature", body["temperature"] ?? .null),
      ("top_p", body["top_p"] ?? .null),
    ]
  }

  /// A format as chat completions have it: the schema one object deeper.
  private static func nested(_ format: JSONValue) -> JSONValue {
    guard format["type"] == .string("json_schema"), case .object(let pairs) = format,
      format["json_schema"] == nil
    else { return format }
    return .object([
      ("type", .string("json_schema")),
      ("json_schema", .object(pairs.filter { $0.key != "type" })),
    ])
  }

  /// Functions as chat completions have them.
  private static func nestedTools(_ tools: JSONValue?) -> JSONValue? {
    guard case .array(let items)? = tools else { return tools }
    return .array(
      items.map { item in
        guard item["type"] == .string("function"), item["function"] == nil,
          case .object(let pairs) = item
        else { return item }
        return .object([
          ("type", .string("function")), ("function", .object(pairs.filter { $0.key != "type" })),
        ])
      })
  }
}
