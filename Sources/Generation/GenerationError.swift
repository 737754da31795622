/// Why a request for text was not begun, or ended before its time.
package enum GenerationError: Error, Equatable, Sendable {
  /// A sampling parameter has a value outside its range.
  case invalidParameter(name: String, value: String, expected: String)
  /// The prompt has no tokens.
  case emptyPrompt
  /// The prompt leaves no room for even one token of an answer.
  case promptTooLong(promptTokens: Int, contextLength: Int)
  /// A token of the prompt is outside the vocabulary.
  case tokenOutOfRange(token: Int32, vocabularySize: Int)
  /// As many requests wait as may.
  case queueFull(limit: Int)
  /// The prompt alone needs more key-value memory than the server may use.
  case keyValueMemoryTooSmall(neededBytes: Int, limitBytes: Int)
  /// The answer can't be brought into the format that was asked for.
  case formatNotKept(String)
  /// The request was cancelled before it was done.
  case cancelled
  /// The scheduler has been shut down, or was while the request ran.
  case shutDown
  /// The model failed in a way that is no fault of the request.
  case model(String)
}

extension GenerationError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .invalidParameter(let name, let value, let expected):
      "\(name) is \(value); expected \(expected)"
    case .emptyPrompt:
      "the prompt has no tokens"
    case .promptTooLong(let promptTokens, let contextLength):
      "the prompt has \(promptTokens) tokens; this model's context is \(contextLength), "
        + "of which one must be left for the answer"
    case .tokenOutOfRange(let token, let vocabularySize):
      "token \(token) is outside the vocabulary of \(vocabularySize)"
    case .queueFull(let limit):
      "\(limit) requests are waiting already"
    case .keyValueMemoryTooSmall(let neededBytes, let limitBytes):
      "the prompt needs \(neededBytes) bytes of key-value memory; the limit is \(limitBytes)"
    case .formatNotKept(let problem):
      problem
    case .cancelled:
      "the request was cancelled"
    case .shutDown:
      "the model is being shut down"
    case .model(let reason):
      "the model failed: \(reason)"
    }
  }
}
