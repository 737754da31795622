import JSON

/// One message of a conversation.
package struct ChatMessage: Sendable, Equatable {
  package var role: String
  package var content: String
  /// Of an answer: what was thought before it, which templates give back to the model or leave out.
  package var reasoning: String?
  /// Of an answer: the calls that it asked for.
  package var toolCalls: [ToolCall] = []
  /// Of a tool's message: the call that it answers.
  package var toolCallID: String?
  /// Further fields that templates may look at, such as `name`.
  package var fields: [String: JSONValue]

  package init(
    role: String, content: String, reasoning: String? = nil, toolCalls: [ToolCall] = [],
    toolCallID: String? = nil,
    fields: [String: JSONValue] = [:]
  ) {
    self.role = role
    self.content = content
    self.reasoning = reasoning
    self.toolCalls = toolCalls
    self.toolCallID = toolCallID
    self.fields = fields
  }

  /// Bytes of its text and its calls.
  package var byteCount: Int {
    toolCalls.reduce(content.utf8.count) { $0 + $1.name.utf8.count + $1.arguments.utf8.count }
  }

  /// The fields as templates find them: a call's arguments as the object that they are.
  var templateFields: [String: JSONValue] {
    var fields = fields
    if !toolCalls.isEmpty {
      fields["tool_calls"] = .array(
        toolCalls.map { call in
          let arguments = try? JSONParser.parse(Array(call.arguments.utf8))
          return .object([
            ("id", .string(call.id)), ("type", .string("function")),
            (
              "function",
              .object([
                ("name", .string(call.name)),
                ("arguments", arguments ?? .string(call.arguments)),
              ])
            ),
          ])
        })
    }
    if let reasoning {
      // Qwen's and DeepSeek's word, and gpt-oss's.
      fields["reasoning_content"] = .string(reasoning)
      fields["thinking"] = .string(reasoning)
    }
    if let toolCallID { fields["tool_call_id"] = .string(toolCallID) }
    return fields
  }
}
