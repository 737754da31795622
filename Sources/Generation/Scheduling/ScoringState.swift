import Transformer

/// Collects the scores of one text.
final class ScoringState {
  private(set) var scores: TokenScores

  private let alternativeCount: Int

  init(count: Int, alternatives: Int) {
    alternativeCount = alternatives
    scores = TokenScores(
      logprobs: Array(repeating: nil, count: count), top: Array(repeating: nil, count: count),
      alternatives: Array(repeating: [], count: count))
    buffer = .allocate(capacity: max(count, 1))
    buffer.initialize(repeating: (0, 0, []), count: max(count, 1))
  }

  deinit {
    buffer.deinitialize(count: max(scores.logprobs.count, 1))
    buffer.deallocate()
  }

  /// Rows of a pass are received by several threads; each writes its own place.
  private let buffer:
    UnsafeMutablePointer<(logprob: Float, top: Int32, alternatives: [TokenLogprob])>

  /// Takes the logits after `position`, which predict the token after it.
  func receive(logits: UnsafeBufferPointer<Float>, position: Int, tokens: [Int32]) {
    let next = position + 1
    guard next < tokens.count else { return }
    let distribution = LogitDistribution(logits: logits, topCount: alternativeCount)
    buffer[next] = (
      distribution.logprob(of: logits[Int(tokens[next])]), LogitDistribution.argmax(logits),
      distribution.top
    )
  }

  /// Adds what the gates chose in a pass.
  func record(_ gates: GateStatistics) {
    if scores.gateStatistics == nil {
      scores.gateStatistics = gates
    } else {
      scores.gateStatistics?.merge(gates)
    }
  }

  /// The scores, once all rows have been received.
  func finish() -> TokenScores {
    for index in scores.logprobs.indices.dropFirst() {
      scores.logprobs[index] = buffer[index].logprob
      scores.top[index] = buffer[index].top
      scores.alternatives[index] = buffer[index].alternatives
    }
    return scores
  }
}
