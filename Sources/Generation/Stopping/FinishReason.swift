/// Why an answer ended.
package enum FinishReason: Sendable, Equatable {
  /// The model gave its end token.
  case endToken
  /// A stop string appeared.
  case stopString(String)
  /// A text with which the expert's own layout ends an answer appeared.
  case layoutStop(String)
  /// The answer is all that its format asks for, and nothing could follow.
  case formatComplete
  /// The model wants functions called, and waits for what comes of it.
  case toolCalls
  /// `maxTokens` were generated.
  case maxTokens
  /// The model's context is full.
  case contextLimit
  /// The key-value memory that one sequence may use is full.
  case memoryLimit
  /// An endpoint's own word, of an answer from elsewhere: which of the others it stands for can't be told.
  case reported(String)

  /// The OpenAI interface's word for it.
  package var openAIName: String {
    switch self {
    case .endToken, .stopString, .layoutStop, .formatComplete: "stop"
    case .toolCalls: "tool_calls"
    case .maxTokens, .contextLimit, .memoryLimit: "length"
    case .reported(let word): word
    }
  }

  /// The caller's text that the answer stopped at; nil where it ended otherwise.
  package var stopText: String? { if case .stopString(let text) = self { text } else { nil } }

  /// Whether the expert itself ended its answer: no limit did, and no text that the caller had asked to stop at.
  package var isOwn: Bool {
    switch self {
    case .endToken, .layoutStop: true
    case .stopString, .formatComplete, .toolCalls, .maxTokens, .contextLimit, .memoryLimit,
      .reported:
      false
    }
  }
}
