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
      let text = try text(item["content"], at: "\(path).content")
      messages.append(ChatMessage(role: role == "developer" ? "system" : role, content: text))
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
          role: "tool", content: try text(item["output"], at: "\(path).output"),
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

  /// A content: a text, or parts of which only text is understood.
  private static func text(_ content: JSONValue?, at path: String) throws(APIError) -> String {
    switch content {
    case .string(let text)?: return text
    case .array(let parts)?:
      var whole = ""
      for part in parts {
        switch (part["type"], part["text"] ?? part["refusal"]) {
        case (.string("input_text")?, .string(let text)?),
          (.string("output_text")?, .string(let text)?),
          (.string("text")?, .string(let text)?), (.string("refusal")?, .string(let text)?):
          whole += text
        default:
          throw .badRequest(
            "a part that is no text is not understood; experts here read text only",
            code: "unsupported_value", param: path)
        }
      }
      return whole
    default:
      throw .badRequest(
        "'\(path)' must be a text or a list of parts", code: "invalid_type", param: path)
    }
  }
}
