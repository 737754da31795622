import Tokenization

/// What an expert is asked to answer.
package enum ExpertInput: Sendable {
  /// A chat, oldest message first; the expert lays it out with its own chat template.
  case messages([ChatMessage])
  /// A text to continue as it stands.
  case continuation(String)
  /// The same in the expert's own tokens, of which the text is what they stand for.
  case tokens([Int32], text: String)
}
