/// Decides after each token of one sequence whether the answer ends, and what text may be sent.
package struct StopRule: Sendable {
  /// What one token led to.
  package struct Outcome: Sendable, Equatable {
    package var text: String
    package var finished: FinishReason?
  }

  private let endTokens: Set<Int32>
  private let maxTokens: Int
  private let contextLength: Int
  private let promptCount: Int
  private var matcher: StopMatcher
  private let callerStops: Set<String>
  private var generated = 0

  /// - Parameters:
  ///   - endTokens: The model's own end tokens; empty to ignore them.
  ///   - contextLength: Positions that prompt and answer may take together.
  ///   - layoutStops: Texts that end the answer besides those of the parameters.
  package init(
    parameters: SamplingParameters, endTokens: Set<Int32>, promptCount: Int, contextLength: Int,
    layoutStops: [String] = []
  ) {
    self.endTokens = parameters.ignoreEndToken ? [] : endTokens
    maxTokens = parameters.maxTokens ?? .max
    self.contextLength = contextLength
    self.promptCount = promptCount
    matcher = StopMatcher(stops: parameters.stop + layoutStops)
    callerStops = Set(parameters.stop)
  }

  private func reason(_ stop: String) -> FinishReason {
    callerStops.contains(stop) ? .stopString(stop) : .layoutStop(stop)
  }

  /// Whether this token ends the answer. It is then not part of the text.
  package func isEnd(_ token: Int32) -> Bool { endTokens.contains(token) }

  /// Takes a token that is not an end token.
  /// - Parameters:
  ///   - text: The text it completes; often empty, where a character spans several tokens.
  package mutating func take(text: String) -> Outcome {
    generated += 1
    let match = matcher.take(text)
    if let stop = match.matched {
      return Outcome(text: match.text, finished: reason(stop))
    }
    if generated >= maxTokens { return Outcome(text: match.text, finished: .maxTokens) }
    // The last token needs no position of its own: it is never read back.
    if promptCount + generated > contextLength {
      return Outcome(text: match.text, finished: .contextLimit)
    }
    return Outcome(text: match.text, finished: nil)
  }

  /// The last text: the detokenizer's rest, after what was held back for a stop string.
  package mutating func finish(rest: String) -> Outcome {
    let match = matcher.take(rest)
    if let stop = match.matched {
      return Outcome(text: match.text, finished: reason(stop))
    }
    let end = matcher.finish()
    return Outcome(text: match.text + end.text, finished: end.matched.map(reason))
  }
}
