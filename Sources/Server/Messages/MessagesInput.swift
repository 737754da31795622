import JSON
import Tokenization

/// `system` and `messages` of Anthropic's API as the messages of a chat.
enum MessagesInput {
  /// What follows one another with one role: Anthropic takes it for one message.
  private struct Turn {
    let role: String
    var texts: [String] = []
    /// What was thought before an answer.
    var thoughts: [String] = []
    var calls: [ToolCall] = []
    /// What calls gave, in the words of chats a message each.
    var results: [ChatMessage] = []

    var messages: [ChatMessage] {
      // An answer's blocks are pieces of one text; others are texts of their own.
      let text = texts.joined(separator: role == "assistant" ? "" : "\n\n")
      guard !text.isEmpty || !calls.isEmpty || !thoughts.isEmpty else { return results }
      let thought = thoughts.isEmpty ? nil : thoughts.joined(separator: "\n\n")
      // Results come first: endpoints want them right behind the calls.
      return results
        + [ChatMessage(role: role, content: text, reasoning: thought, toolCalls: calls)]
    }
  }

  static func messages(
    _ value: JSONValue?, system: JSONValue?
  ) throws(APIError) -> [ChatMessage] {
    let items: [JSONValue]
    switch value {
    case .array(let list)?: items = list
    case nil, .null?:
      throw .badRequest("'messages' is missing", code: "missing_field", param: "messages")
    default:
      throw .badRequest("'messages' must be a list", code: "invalid_type", param: "messages")
    }
    var turns: [Turn] = []
    for (index, item) in items.enumerated() {
      let path = "messages[\(index)]"
      let role = try item.text("role", at: path)
      guard ["user", "assistant", "system"].contains(role) else {
        throw .badRequest(
          "'\(path).role' must be user, assistant or system", param: "\(path).role")
      }
      var turn = Turn(role: role)
      if turns.last?.role == role, let last = turns.popLast() { turn = last }
      try add(item["content"], at: "\(path).content", to: &turn)
      turns.append(turn)
    }
    let messages = turns.flatMap(\.messages)
    guard !messages.isEmpty else {
      throw .badRequest("'messages' has nothing to answer", param: "messages")
    }
    var instructions = Turn(role: "system")
    if let system, !system.isNull { try add(system, at: "system", to: &instructions) }
    return instructions.messages + messages
  }

  /// Adds a content: a text, or blocks.
  private static func add(
    _ content: JSONValue?, at path: String, to turn: inout Turn
  ) throws(APIError) {
    switch content {
    case .string(let text)?: if !text.isEmpty { turn.texts.append(text) }
    case .array(let blocks)?:
      for (index, block) in blocks.enumerated() {
        try add(block: block, at: "\(path)[\(index)]", to: &turn)
      }
    case nil, .null?:
      throw .badRequest("'\(path)' is missing", code: "missing_field", param: path)
    default:
      throw .badRequest(
        "'\(path)' must be a text or a list of blocks", code: "invalid_type", param: path)
    }
  }

  private static func add(
    block: JSONValue, at path: String, to turn: inout Turn
  ) throws(APIError) {
    let type = try block.text("type", at: path)
    switch (type, turn.role) {
    case ("text", _):
      let text = try block.text("text", at: path)
      if !text.isEmpty { turn.texts.append(text) }
    case ("tool_use", "assistant"):
      guard let input = block["input"], case .object = input else {
        throw .badRequest(
          "'\(path).input' must be an object", code: "invalid_type", param: "\(path).input")
      }
      turn.calls.append(
        ToolCall(
          id: try block.text("id", at: path), name: try block.text("name", at: path),
          arguments: String(decoding: input.json, as: UTF8.self)))
    case ("tool_result", "user"):
      turn.results.append(
        ChatMessage(
          role: "tool", content: try result(of: block, at: path),
          toolCallID: try block.text("tool_use_id", at: path)))
    case ("thinking", "assistant"):
      if let thought = try block.textIfPresent("thinking", at: path), !thought.isEmpty {
        turn.thoughts.append(thought)
      }
    // Nobody but Anthropic's models can read it.
    case ("redacted_thinking", "assistant"): break
    case ("tool_use", _), ("tool_result", _), ("thinking", _), ("redacted_thinking", _):
      throw .badRequest(
        "a block of type '\(type)' can't be in a message of the role \(turn.role)",
        param: "\(path).type")
    default: throw unknown(type, at: path)
    }
  }

  /// What a call gave. Chats have no other word for one that failed than the text.
  private static func result(of block: JSONValue, at path: String) throws(APIError) -> String {
    let mark = block["is_error"] == .bool(true) ? "Error: " : ""
    let path = "\(path).content"
    switch block["content"] {
    case nil, .null?: return mark
    case .string(let text)?: return mark + text
    case .array(let parts)?:
      var texts: [String] = []
      for (index, part) in parts.enumerated() {
        let type = try part.text("type", at: "\(path)[\(index)]")
        guard type == "text" else { throw unknown(type, at: "\(path)[\(index)]") }
        texts.append(try part.text("text", at: "\(path)[\(index)]"))
      }
      return mark + texts.joined(separator: "\n\n")
    default:
      throw .badRequest(
        "'\(path)' must be a text or a list of blocks", code: "invalid_type", param: path)
    }
  }

  private static func unknown(_ type: String, at path: String) -> APIError {
    .badRequest(
      "'\(path)': a block of type '\(type.prefix(40))' is not understood; experts here read text only",
      code: "unsupported_value", param: "\(path).type")
  }
}
