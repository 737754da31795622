/// A call of one of the caller's functions, which a model asks for.
package struct ToolCall: Sendable, Equatable {
  /// What the caller's answer to it refers to.
  package var id: String
  package var name: String
  /// JSON, as the model wrote it.
  package var arguments: String

  package init(id: String, name: String, arguments: String) {
    self.id = id
    self.name = name
    self.arguments = arguments
  }
}
