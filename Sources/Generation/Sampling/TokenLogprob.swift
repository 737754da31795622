/// A token and its natural log-probability under the model itself, before any sampling step.
package struct TokenLogprob: Sendable, Equatable {
  package var token: Int32
  package var logprob: Float

  package init(token: Int32, logprob: Float) {
    self.token = token
    self.logprob = logprob
  }
}

/// A chosen token with the most probable tokens at its place.
package struct ChosenLogprob: Sendable, Equatable {
  package var chosen: TokenLogprob
  /// Most probable first.
  package var top: [TokenLogprob]
}
