extension SamplingParameters {
  /// Bounds on what one request may ask for.
  package enum Limit {
    package static let stopStrings = 16
    package static let stopStringBytes = 1_024
    package static let biasedTokens = 4_096
    package static let logprobs = 20
    package static let repetitionWindow = 1 << 20
  }

  /// Throws for the first parameter that is out of its range, whichever model it is for.
  package func validate() throws(GenerationError) {
    try check("temperature", temperature, in: 0...100)
    try check("top_p", topP, in: 0...1)
    try check("min_p", minP, in: 0...1)
    try check("repetition_penalty", repetitionPenalty, in: 0.01...100)
    try check("frequency_penalty", frequencyPenalty, in: -100...100)
    try check("presence_penalty", presencePenalty, in: -100...100)
    guard topK >= 0 else { throw invalid("top_k", "\(topK)", "0 or more") }
    guard (0...Limit.repetitionWindow).contains(repetitionWindow) else {
      throw invalid(
        "repetition_window", "\(repetitionWindow)", "0 to \(Limit.repetitionWindow)")
    }
    if let maxTokens, maxTokens < 1 {
      throw invalid("max_tokens", "\(maxTokens)", "1 or more")
    }
    if let budget = reasoning.budgetTokens, budget < 0 {
      throw invalid("thinking_budget_tokens", "\(budget)", "0 or more")
    }
    if let logprobs, !(0...Limit.logprobs).contains(logprobs) {
      throw invalid("logprobs", "\(logprobs)", "0 to \(Limit.logprobs)")
    }
    guard stop.count <= Limit.stopStrings else {
      throw invalid("stop", "\(stop.count) strings", "at most \(Limit.stopStrings)")
    }
    for string in stop where string.isEmpty || string.utf8.count > Limit.stopStringBytes {
      throw invalid(
        "stop", "a string of \(string.utf8.count) bytes", "1 to \(Limit.stopStringBytes) bytes")
    }
    guard logitBias.count <= Limit.biasedTokens else {
      throw invalid("logit_bias", "\(logitBias.count) tokens", "at most \(Limit.biasedTokens)")
    }
  }

  /// The same, and what depends on the model.
  package func validate(vocabularySize: Int) throws(GenerationError) {
    try validate()
    for (token, bias) in logitBias {
      guard token >= 0, Int(token) < vocabularySize else {
        throw invalid("logit_bias", "for token \(token)", "a token below \(vocabularySize)")
      }
      try check("logit_bias[\(token)]", bias, in: -100...100)
    }
  }

  private func check(
    _ name: String, _ value: Float, in range: ClosedRange<Float>
  ) throws(GenerationError) {
    // A NaN is in no range.
    guard range.contains(value) else {
      throw invalid(name, "\(value)", "\(range.lowerBound) to \(range.upperBound)")
    }
  }

  private func invalid(_ name: String, _ value: String, _ expected: String) -> GenerationError {
    .invalidParameter(name: name, value: value, expected: expected)
  }
}
