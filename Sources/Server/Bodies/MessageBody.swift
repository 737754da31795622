import Tokenization

/// One message of a chat: `content` is a text, or a list of parts of which only text is understood.
package struct MessageBody: Decodable, Sendable {
  package let role: String
  package let content: String
  /// Of an answer: what was thought before it.
  package let reasoning: String?
  /// Of an answer: the calls that it asked for.
  package let toolCalls: [ToolCall]
  /// Of a tool's message: the call that it answers.
  package let toolCallID: String?

  private enum CodingKeys: String, CodingKey {
    case role, content, reasoning
    case reasoningContent = "reasoning_content"
    case toolCalls = "tool_calls"
    case toolCallID = "tool_call_id"
  }

  /// What a content is, for the error about one that is neither.
  enum TextOrParts {}

  private struct Part: Decodable {
    let type: String
    let text: String?
    let refusal: String?
  }

  private struct Call: Decodable {
    struct Function: Decodable {
      let name: String
      let arguments: String?
    }
    let id: String?
    let function: Function
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    role = try values.decode(String.self, forKey: .role)
    guard ["system", "developer", "user", "assistant", "tool"].contains(role) else {
      throw DecodingError.dataCorruptedError(
        forKey: .role, in: values,
        debugDescription: "expected system, developer, user, assistant or tool")
    }
    toolCalls = (try values.decodeIfPresent([Call].self, forKey: .toolCalls) ?? []).map {
      ToolCall(id: $0.id ?? "", name: $0.function.name, arguments: $0.function.arguments ?? "{}")
    }
    guard toolCalls.isEmpty || role == "assistant" else {
      throw DecodingError.dataCorruptedError(
        forKey: .toolCalls, in: values, debugDescription: "only an assistant's message has calls")
    }
    toolCallID = try values.decodeIfPresent(String.self, forKey: .toolCallID)
    // OpenRouter's clients send `reasoning` back, which elsewhere is something else than a text.
    let thought =
      try values.decodeIfPresent(String.self, forKey: .reasoningContent)
      ?? (try? values.decodeIfPresent(String.self, forKey: .reasoning))
    reasoning = role == "assistant" && thought?.isEmpty == false ? thought : nil
    // Many clients leave it out beside calls.
    if !toolCalls.isEmpty, !values.contains(.content) {
      content = ""
      return
    }
    if let text = try? values.decode(String.self, forKey: .content) {
      content = text
    } else if try values.decodeNil(forKey: .content) {
      content = ""
    } else {
      content = try Self.text(of: values)
    }
  }

  /// The text of a content in parts.
  private static func text(of values: KeyedDecodingContainer<CodingKeys>) throws -> String {
    func problem(_ text: String) -> DecodingError {
      .dataCorruptedError(forKey: .content, in: values, debugDescription: text)
    }
    let parts: [Part]
    do {
      parts = try values.decode([Part].self, forKey: .content)
    } catch DecodingError.typeMismatch(_, let context)
      where context.codingPath.last?.stringValue == CodingKeys.content.stringValue
    {
      throw DecodingError.typeMismatch(
        TextOrParts.self, .init(codingPath: context.codingPath, debugDescription: ""))
    }
    return try parts.map { part in
      switch part.type {
      case "text", "input_text", "output_text":
        guard let text = part.text else { throw problem("a part of type 'text' has no text") }
        return text
      case "refusal": return part.refusal ?? ""
      default:
        throw problem(
          "a part of type '\(part.type.prefix(40))' is not understood; experts here read text only"
        )
      }
    }.joined()
  }

  package var chatMessage: ChatMessage {
    ChatMessage(
      role: role == "developer" ? "system" : role, content: content, reasoning: reasoning,
      toolCalls: toolCalls, toolCallID: toolCallID)
  }
}
