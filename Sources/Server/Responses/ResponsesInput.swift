import JSON
import Tokenization

/// `input` of `/v1/responses`: a text, or a list of messages, calls and what came of them.
enum ResponsesInput {
  static func messages(_ input: JSONValue?) throws(APIError) -> [ChatMessage] {
    switch input {
    case .string(let text)?: return [ChatMessage(role: "user", content: text)]
    case .array(let items)?:
      guard !items.isEmpty else { throw .badRequest("'input' is empty", param: "input") }
      var messages: [ChatMessage] = []
      var thought: String?
      for (index, item) in items.enumerated() {
        if item["type"] == .string("reasoning") {
          thought = reasoning(item["content"]) ?? thought
          continue
        }
        try add(item, at: "input[\(index)]", to: &messages)
        // What was thought stands before what was answered, and several items may be one message.
        if let found = thought, let last = messages.indices.last,
          messages[last].role == "assistant"
        {
          messages[last].reasoning = messages[last].reasoning.map { $0 + "\n\n" + found } ?? found
        }
        thought = nil
      }
      return messages
    case nil, .null?:
      throw .badRequest("'input' is missing", code: "missing_field", param: "input")
    default:
      throw .badRequest(
        "'input' must be a text or a list of items", code: "invalid_type", param: "input")
    }
  }

  private static func add(
    _ item: JSONValue, at path: String, to messages: inout [ChatMessage]
  ) throws(APIError) {
    let type = try item.textIfPresent("type", at: path)
    switch type ?? "message" {
    case "message":
      guard let role = try item.textIfPresent("role", at: path),
        ["user", "assistant", "system", "developer"].contains(role)
      else {
        throw .badRequest(
          "'\(path).role' must be user, assistant, system or developer", param: "\(path).role")
      }
      let parts = try parts(
        item["content"], at: "\(path).content", mayShowImages: role == "user")
      messages.append(ChatMessage(role: role == "developer" ? "system" : role, parts: parts))
    case "function_call":
      let call = ToolCall(
        id: try item.textIfPresent("call_id", at: path) ?? "",
        name: try item.text("name", at: path),
        arguments: try item.textIfPresent("arguments", at: path) ?? "{}")
      // Calls of one turn are one message, as in chats.
      if let last = messages.indices.last, messages[last].role == "assistant" {
        messages[last].toolCalls.append(call)
      } else {
        messages.append(ChatMessage(role: "assistant", content: "", toolCalls: [call]))
      }
    case "function_call_output":
      messages.append(
        ChatMessage(
          role: "tool",
          parts: try parts(item["output"], at: "\(path).output", mayShowImages: true),
          toolCallID: try item.text("call_id", at: path)))
    default:
      throw .badRequest(
        "an item of type '\((type ?? "").prefix(40))' is not understood", code: "unsupported_value",
        param: "\(path).type")
    }
  }

  /// The text of what was thought; nil where it was not shown, as OpenAI's own models' is.
  private static func reasoning(_ content: JSONValue?) -> String? {
    guard case .array(let parts)? = content else { return nil }
    let text = parts.map { part in
      if case .string(let text)? = part["text"] { text } else { "" }
    }.joined()
    return text.isEmpty ? nil : text
  }

  /// A content: a text, or parts.
  private static func parts(
    _ content: JSONValue?, at path: String, mayShowImages: Bool
  ) throws(APIError) -> [ChatMessage.Part] {
    switch content {
    case .string(let text)?: return [.text(text)]
    case .array(let parts)?:
      var found: [ChatMessage.Part] = []
      for (index, part) in parts.enumerated() {
        switch (part["type"], part["text"] ?? part["refusal"]) {
        case (.string("input_text")?, .string(let text)?),
          (.string("output_text")?, .string(let text)?),
          (.string("text")?, .string(let text)?), (.string("refusal")?, .string(let text)?):
          found.append(.text(text))
        case (.string("input_image")?, _) where mayShowImages:
          found.append(.image(try image(part, at: "\(path)[\(index)]")))
        default:
          throw .badRequest(
            "a part that is neither text nor a user's image is not understood",
            code: "unsupported_value", param: path)
        }
      }
      return found
    default:
      throw .badRequest(
        "'\(path)' must be a text or a list of parts", code: "invalid_type", param: path)
    }
  }

  private static func image(_ part: JSONValue, at path: String) throws(APIError) -> ChatImage {
    let url = try part.text("image_url", at: path)
    do throws(ChatImage.Problem) {
      return try ChatImage(url: url, detail: try? part.textIfPresent("detail", at: path))
    } catch {
      throw .unreadableImage(error, at: "\(path).image_url")
    }
  }
}
