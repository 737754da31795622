import Grammar
import JSON

/// What an answer has to look like, whatever the expert would have written.
package struct AnswerFormat: Sendable, Equatable {
  /// Answers of experts in this process are texts of it, unless a limit cuts them off.
  package let grammar: Grammar
  /// The same as OpenAI's `response_format`, for endpoints, which keep to it if they can.
  package let requestField: JSONValue

  package init(grammar: Grammar, requestField: JSONValue) {
    self.grammar = grammar
    self.requestField = requestField
  }

  package static func == (a: AnswerFormat, b: AnswerFormat) -> Bool {
    a.requestField == b.requestField
  }
}
