/// Why an answer ended.
package enum FinishReason: Sendable, Equatable {
  /// The model gave its end token.
  case endToken
  /// A stop string appeared.
  case stopString(String)
  /// `maxTokens` were generated.
  case maxTokens
  /// The model's context is full.
  case contextLimit
  /// The key-value memory that one sequence may use is full.
  case memoryLimit

  /// The OpenAI interface's word for it.
  package var openAIName: String {
    switch self {
    case .endToken, .stopString: "stop"
    case .maxTokens, .contextLimit, .memoryLimit: "length"
    }
  }
}
