import Transformer

/// Collects the scores of one text.
final class ScoringState {
  private(set) var scores: TokenScores

  init(count: Int) {
    scores = TokenScores(
      logprobs: Array(repeating: nil, count: count), top: Array(repeating: nil, count: count),
      topLogprobs: Array(repeating: nil, count: count))
    buffer = .allocate(capacity: max(count, 1))
    buffer.initialize(repeating: (0, 0, 0), count: max(count, 1))
  }

  deinit { buffer.deallocate() }

  /// Rows of a pass are received by several threads; each writes its own place.
  private let buffer: UnsafeMutablePointer<(logprob: Float, top: Int32, topLogprob: Float)>

  /// Takes the logits after `position`, which predict the token after it.
  func receive(logits: UnsafeBufferPointer<Float>, position: Int, tokens: [Int32]) {
    let next = position + 1
    guard next < tokens.count else { return }
    let distribution = LogitDistribution(logits: logits, topCount: 0)
    let top = LogitDistribution.argmax(logits)
    buffer[next] = (
      distribution.logprob(of: logits[Int(tokens[next])]), top,
      distribution.logprob(of: logits[Int(top)])
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
      scores.topLogprobs[index] = buffer[index].topLogprob
    }
    return scores
  }
}
