/// A step that changes logits before any candidate is chosen, looking at what came before.
package protocol LogitStep: Sendable {
  /// Changes `logits` in place.
  /// - Parameters:
  ///   - tokens: The prompt and all that was generated.
  ///   - promptCount: How many of `tokens` are the prompt.
  func apply(
    to logits: UnsafeMutableBufferPointer<Float>, tokens: [Int32], promptCount: Int)
}

/// A step that leaves out candidates.
package protocol CandidateStep: Sendable {
  func apply(to candidates: inout Candidates)
}
