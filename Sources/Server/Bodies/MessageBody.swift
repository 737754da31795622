import Tokenization

/// One message of a chat: `content` is a text, or a list of parts, each a text or an image.
package struct MessageBody: Decodable, Sendable {
  package let role: String
  package let parts: [ChatMessage.Part]
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
    let image: ImageURLBody?

    private enum CodingKeys: String, CodingKey {
      case type, text, refusal
      case image = "image_url"
    }
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
      parts = []
      return
    }
    if let text = try? values.decode(String.self, forKey: .content) {
      parts = [.text(text)]
    } else if try values.decodeNil(forKey: .content) {
      parts = []
    } else {
      parts = try Self.parts(of: values, role: role)
    }
  }

  /// A content in parts.
  private static func parts(
    of values: KeyedDecodingContainer<CodingKeys>, role: String
  ) throws -> [ChatMessage.Part] {
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
        return .text(text)
      case "refusal": return .text(part.refusal ?? "")
      case "image_url", "input_image":
        guard role == "user" || role == "tool" else {
          throw problem("only a user's message and a tool's show images")
        }
        guard let image = part.image else { throw problem("an image has no 'image_url'") }
        do throws(ChatImage.Problem) {
          return .image(try ChatImage(url: image.url, detail: image.detail))
        } catch {
          throw problem("an image can't be read: \(error)")
        }
      default:
        throw problem(
          "a part of type '\(part.type.prefix(40))' is not understood; experts read text and images"
        )
      }
    }
  }

  package var chatMessage: ChatMessage {
    var message = ChatMessage(
      role: role == "developer" ? "system" : role, content: "", reasoning: reasoning,
      toolCalls: toolCalls, toolCallID: toolCallID)
    message.append(parts)
    return message
  }
}
