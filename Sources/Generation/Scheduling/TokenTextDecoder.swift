import Tokenization

/// Turns the tokens of one sequence into text, piece by piece.
package protocol TokenTextDecoder: Sendable {
  /// The text that this token completes; empty while a character is incomplete.
  mutating func append(_ token: Int32) -> String
  /// What is left at the end, with incomplete characters replaced.
  mutating func finish() -> String
}
