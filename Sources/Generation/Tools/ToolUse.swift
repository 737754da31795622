import Grammar
import JSON

/// A function of the caller's that a model may ask for.
package struct Tool: Sendable, Equatable {
  package let function: ToolFunction
  package let description: String?
  /// The same as OpenAI's `tools` has it, for endpoints and for templates.
  package let requestField: JSONValue

  package init(function: ToolFunction, description: String?, requestField: JSONValue) {
    self.function = function
    self.description = description
    self.requestField = requestField
  }
}

/// The functions that a model may ask for, and whether it must.
package struct ToolUse: Sendable, Equatable {
  package enum Choice: Sendable, Equatable {
    /// A call or a text, as the model likes.
    case auto
    /// A call, of whichever function.
    case required
    /// A call of this one.
    case named(String)
  }

  package let tools: [Tool]
  package let choice: Choice
  /// Whether one answer may ask for several calls; nil where the caller did not say.
  package let allowsSeveral: Bool?
  /// What calls may be, in the words of ``ToolCallStyle/tagged``: worked out once, which takes longest.
  private let calls: Grammar

  /// - Throws: What of a strict function's schema can't be kept to.
  package init(tools: [Tool], choice: Choice, allowsSeveral: Bool?) throws(JSONSchemaError) {
    self.tools = tools
    self.choice = choice
    self.allowsSeveral = allowsSeveral
    calls = try Grammar.toolCallObjects(
      of: Self.functions(tools, choice), argumentsKey: ToolCallStyle.tagged.argumentsKey)
  }

  /// Those that may be called.
  private static func functions(_ tools: [Tool], _ choice: Choice) -> [ToolFunction] {
    let functions = tools.map(\.function)
    if case .named(let name) = choice { return functions.filter { $0.name == name } }
    return functions
  }

  package static func == (a: ToolUse, b: ToolUse) -> Bool {
    a.tools == b.tools && a.choice == b.choice && a.allowsSeveral == b.allowsSeveral
  }

  /// What answers may be of an expert that writes calls in a style.
  ///
  /// - Parameters:
  ///   - isTaught: Whether the expert was taught to call functions. One that was not goes round in circles where it
  ///     may call on and on: without the caller's word it calls once.
  ///   - text: What they may be besides; nil for any text.
  package func grammar(
    _ style: ToolCallStyle, isTaught: Bool, text: Grammar?
  ) throws(JSONSchemaError) -> Grammar {
    var several = allowsSeveral ?? isTaught
    if case .named = choice { several = false }
    let objects =
      style.argumentsKey == ToolCallStyle.tagged.argumentsKey
      ? calls
      : try Grammar.toolCallObjects(
        of: Self.functions(tools, choice), argumentsKey: style.argumentsKey)
    return try Grammar.toolCalls(
      objects, style: style, mustCall: choice != .auto, allowsSeveral: several, text: text)
  }
}
