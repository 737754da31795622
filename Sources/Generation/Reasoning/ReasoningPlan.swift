/// How one answer's thinking is told from its text, and ended.
package struct ReasoningPlan: Sendable {
  package var reader: ReasoningReader
  /// The tokens that stand for the style's marks, by their ids.
  package var marks: [Int32: String]
  /// The token with which the model may begin to think; nil where it has none.
  package var opening: Int32?
  /// Tokens of thinking after which `closing` is put in; nil for no limit.
  package var budgetTokens: Int?
  /// What ends the thinking.
  package var closing: [Int32]

  package init(
    reader: ReasoningReader, marks: [Int32: String], opening: Int32?, budgetTokens: Int?,
    closing: [Int32]
  ) {
    self.reader = reader
    self.marks = marks
    self.opening = opening
    self.budgetTokens = budgetTokens
    self.closing = closing
  }
}
