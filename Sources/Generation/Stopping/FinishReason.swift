/// Why an answer ended.
package enum FinishReason: Sendable, Equatable {
  /// The model gave its end token.
  case endToken
  /// A stop string appeared.
  case stopString(String)
  /// A text with which the expert's own layout ends an answer appeared.
  case layoutStop(String)
  /// `maxTokens` were generated.
  case maxTokens
  /// The model's context is full.
  case contextLimit
  /// The key-value memory that one sequence may use is full.
  case memoryLimit

  /// The OpenAI interface's word for it.
  package var openAIName: String {
    switch self {
    case .endToken, .stopString, .layoutStop: "stop"
    case .maxTokens, .contextLimit, .memoryLimit: "length"
    }
  }

  /// Whether the expert itself ended its answer: no limit did, and no text that the caller had asked to stop at.
  package var isOwn: Bool {
    switch self {
    case .endToken, .layoutStop: true
    case .stopString, .maxTokens, .contextLimit, .memoryLimit: false
    }
  }
}
