/// What the log keeps of a prompt's text.
package enum PromptPolicy: String, Codable, CaseIterable, Sendable {
  /// The text and its hash.
  case store
  /// The hash alone: equal prompts can be found, their text cannot be read.
  case hash
  /// Neither. Lengths stay.
  case omit
}
