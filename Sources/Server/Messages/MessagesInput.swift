import JSON
import Tokenization

/// `system` and `messages` of Anthropic's API as the messages of a chat.
enum MessagesInput {
  /// What follows one another with one role: Anthropic takes it for one message.
  private struct Turn {
    let role: String
    var parts: [ChatMessage.Part] = []
    /// What was thought before an answer.
    var thoughts: [String] = []
    var calls: [ToolCall] = []
    /// What calls gave, in the words of chats a message each.
    var results: [ChatMessage] = []

    var messages: [ChatMessage] {
      // An answer's blocks are pieces of one text; others are texts of their own.
      guard !parts.isEmpty || !calls.isEmpty || !thoughts.isEmpty else { return results }
      let thought = thoughts.isEmpty ? nil : thoughts.joined(separator: "\n\n")
      var message = ChatMessage(role: role, content: "", reasoning: thought, toolCalls: calls)
      message.append(role == "assistant" ? parts : parts.apart)
      // Results come first: endpoints want them right behind the calls.
      return results + [message]
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
    case .string(let text)?: if !text.isEmpty { turn.parts.append(.text(text)) }
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
      if !text.isEmpty { turn.parts.append(.text(text)) }
    case ("image", "user"): turn.parts.append(.image(try image(block, at: path)))
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
          role: "tool", parts: try result(of: block, at: path),
          toolCallID: try block.text("tool_use_id", at: path)))
    case ("thinking", "assistant"):
      if let thought = try block.textIfPresent("thinking", at: path), !thought.isEmpty {
        turn.thoughts.append(thought)
      }
    // Nobody but Anthropic's models can read it.
    case ("redacted_thinking", "assistant"): break
    case ("image", _), ("tool_use", _), ("tool_result", _), ("thinking", _),
      ("redacted_thinking", _):
      throw .badRequest(
        "a block of type '\(type)' can't be in a message of the role \(turn.role)",
        param: "\(path).type")
    default: throw unknown(type, at: path)
    }
  }

  /// What a call gave. Chats have no other word for one that failed than the text.
  private static func result(
    of block: JSONValue, at path: String
  ) throws(APIError) -> [ChatMessage.Part] {
    let mark = block["is_error"] == .bool(true) ? "Error: " : ""
    let path = "\(path).content"
    switch block["content"] {
    case nil, .null?: return [.text(mark)]
    case .string(let text)?: return [.text(mark + text)]
    case .array(let items)?:
      var parts: [ChatMessage.Part] = []
      for (index, item) in items.enumerated() {
        let path = "\(path)[\(index)]"
        switch try item.text("type", at: path) {
        case "text": parts.append(.text(try item.text("text", at: path)))
        case "image": parts.append(.image(try image(item, at: path)))
        case let type: throw unknown(type, at: path)
        }
      }
      return (mark.isEmpty ? [] : [.text(mark)]) + parts.apart
    default:
      throw .badRequest(
        "'\(path)' must be a text or a list of blocks", code: "invalid_type", param: path)
    }
  }

  /// `source` of an image: its file in base64, or its address.
  private static func image(_ block: JSONValue, at path: String) throws(APIError) -> ChatImage {
    let path = "\(path).source"
    let source = block["source"] ?? .null
    let type = try source.text("type", at: path)
    let text = try source.text(type == "base64" ? "data" : "url", at: path)
    do throws(ChatImage.Problem) {
      switch type {
      case "base64": return try ChatImage(base64: text)
      case "url": return try ChatImage(url: text)
      default: break
      }
    } catch {
      throw .unreadableImage(error, at: path)
    }
    throw .badRequest(
      "'\(path).type' must be base64 or url", code: "unsupported_value", param: "\(path).type")
  }

  private static func unknown(_ type: String, at path: String) -> APIError {
    .badRequest(
      "'\(path)': a block of type '\(type.prefix(40))' is not understood; experts read text and images",
      code: "unsupported_value", param: "\(path).type")
  }
}

extension [ChatMessage.Part] {
  /// With an empty line between texts: blocks that are no pieces of one text.
  fileprivate var apart: Self {
    enumerated().map { index, part in
      guard case .text(let text) = part, index > 0, case .text = self[index - 1] else {
        return part
      }
      return .text("\n\n" + text)
    }
  }
}
