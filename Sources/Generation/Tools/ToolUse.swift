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

  package init(tools: [Tool], choice: Choice, allowsSeveral: Bool?) {
    self.tools = tools
    self.choice = choice
    self.allowsSeveral = allowsSeveral
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
    var functions = tools.map(\.function)
    var several = allowsSeveral ?? isTaught
    if case .named(let name) = choice {
      functions.removeAll { $0.name != name }
      several = false
    }
    return try Grammar.toolCalls(
      functions, style: style, mustCall: choice != .auto, allowsSeveral: several, text: text)
  }
}
