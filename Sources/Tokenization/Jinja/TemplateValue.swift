import JSON

/// A JSON-like value that is handed to a chat template, such as a message's tool calls.
package enum TemplateValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case array([TemplateValue])
  /// Pairs in the order in which they are to be seen.
  case object([(key: String, value: TemplateValue)])

  package static func == (a: TemplateValue, b: TemplateValue) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.int(let a), .int(let b)): a == b
    case (.double(let a), .double(let b)): a == b
    case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }
}

/// One message of a conversation.
package struct ChatMessage: Sendable, Equatable {
  package var role: String
  package var content: String
  /// Of an answer: the calls that it asked for.
  package var toolCalls: [ToolCall] = []
  /// Of a tool's message: the call that it answers.
  package var toolCallID: String?
  /// Further fields that templates may look at, such as `name`.
  package var fields: [String: TemplateValue]

  package init(
    role: String, content: String, toolCalls: [ToolCall] = [], toolCallID: String? = nil,
    fields: [String: TemplateValue] = [:]
  ) {
    self.role = role
    self.content = content
    self.toolCalls = toolCalls
    self.toolCallID = toolCallID
    self.fields = fields
  }

  /// Bytes of its text and its calls.
  package var byteCount: Int {
    toolCalls.reduce(content.utf8.count) { $0 + $1.name.utf8.count + $1.arguments.utf8.count }
  }

  /// The fields as templates find them: a call's arguments as the object that they are.
  var templateFields: [String: TemplateValue] {
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
                ("arguments", arguments.map(TemplateValue.init) ?? .string(call.arguments)),
              ])
            ),
          ])
        })
    }
    if let toolCallID { fields["tool_call_id"] = .string(toolCallID) }
    return fields
  }
}

extension TemplateValue {
  package init(_ value: JSONValue) {
    self =
      switch value {
      case .null: .null
      case .bool(let value): .bool(value)
      case .int(let value): .int(value)
      case .double(let value): .double(value)
      case .string(let text): .string(text)
      case .array(let items): .array(items.map(TemplateValue.init))
      case .object(let pairs): .object(pairs.map { ($0.key, TemplateValue($0.value)) })
      }
  }
}
