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
  /// Further fields that templates may look at, such as `tool_calls` or `name`.
  package var fields: [String: TemplateValue]

  package init(role: String, content: String, fields: [String: TemplateValue] = [:]) {
    self.role = role
    self.content = content
    self.fields = fields
  }
}
