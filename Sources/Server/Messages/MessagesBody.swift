import Generation
import JSON
import Thalamus
import Tokenization

/// The body of `POST /v1/messages`, as Anthropic's API has it, and of `/v1/messages/count_tokens`. Keys that this server
/// does not know are ignored, as elsewhere; those that it could not honour are refused.
package struct MessagesBody: Decodable, Sendable {
  package let model: String
  package let messages: [ChatMessage]
  package let streams: Bool
  package let routing: RoutingExtension
  package let fields: GenerationFields
  /// Functions that the answer may ask for; nil where it may not.
  package let tools: ToolUse?
  /// Whether what is thought before the answer is a part of the reply.
  package let showsThinking: Bool

  private enum CodingKeys: String, CodingKey {
    case model, messages, system, stream, tools, thinking, thalamus
    case stopSequences = "stop_sequences"
    case toolChoice = "tool_choice"
    case outputConfig = "output_config"
    case outputFormat = "output_format"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    guard let body = try decoder.orderedBody() else {
      throw APIError.badRequest("the body must be an object", code: "invalid_type")
    }
    try decoder.refuseUnsupported(["container", "mcp_servers"] + ResponseFormatBody.otherNames) {
      name, value in name == "mcp_servers" && (try? value.decode([String].self)) == []
    }
    model = try values.decodeIfPresent(String.self, forKey: .model) ?? "auto"
    messages = try MessagesInput.messages(
      body[CodingKeys.messages.stringValue], system: body[CodingKeys.system.stringValue])
    streams = try values.decodeIfPresent(Bool.self, forKey: .stream) ?? false
    routing = try RoutingExtension(in: values, forKey: .thalamus, of: decoder)
    var fields = try GenerationFields(from: decoder)
    if let texts = try values.decodeIfPresent([String].self, forKey: .stopSequences) {
      fields.stop = try StopBody(texts, named: CodingKeys.stopSequences.stringValue)
    }
    for (format, param) in [
      (body[CodingKeys.outputConfig.stringValue]?["format"], "output_config.format"),
      (body[CodingKeys.outputFormat.stringValue], CodingKeys.outputFormat.stringValue),
    ] {
      guard let format, !format.isNull else { continue }
      fields.format = try ResponseFormatBody.format(format, param: param)
    }
    let effort = body[CodingKeys.outputConfig.stringValue]?["effort"]
    let variables = fields.reasoning.templateVariables
    fields.reasoning = try MessagesThinking.request(
      body[CodingKeys.thinking.stringValue], effort: effort)
    fields.reasoning.templateVariables = variables
    showsThinking = fields.reasoning.isEnabled == true
    self.fields = fields
    tools = try MessagesTools.use(
      of: body[CodingKeys.tools.stringValue], choice: body[CodingKeys.toolChoice.stringValue])
  }
}

/// The body of a request for an answer, which says how long that may be.
package struct MessagesAnswerBody: Decodable, Sendable {
  package let request: MessagesBody
  package let maxTokens: Int

  private enum CodingKeys: String, CodingKey { case maxTokens = "max_tokens" }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    guard let limit: Int = try values.wholeNumberIfPresent(forKey: .maxTokens) else {
      throw APIError.badRequest(
        "'max_tokens' is missing", code: "missing_field", param: "max_tokens")
    }
    maxTokens = limit
    request = try MessagesBody(from: decoder)
  }
}
