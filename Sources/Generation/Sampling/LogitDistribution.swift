import Kernels

/// What log-probabilities need of one row of logits.
package struct LogitDistribution: Sendable {
  /// log of the sum of exp(logit)
  package let logSumExp: Float
  /// The most probable tokens, most probable first.
  package let top: [TokenLogprob]

  package init(logits: UnsafeBufferPointer<Float>, topCount: Int) {
    let logSum =
      logits.baseAddress.map { Float(VectorOperations.logSumExp($0, count: logits.count)) } ?? 0
    logSumExp = logSum
    var found: [TokenLogprob] = []
    if topCount > 0 {
      // Insertion into a list of at most 20 is enough: few logits get past its last.
      for (index, logit) in logits.enumerated() {
        if found.count == topCount, let last = found.last, logit - logSum <= last.logprob {
          continue
        }
        let entry = TokenLogprob(
          token: Int32(truncatingIfNeeded: index), logprob: logit - logSum)
        let place = found.firstIndex { $0.logprob < entry.logprob } ?? found.count
        found.insert(entry, at: place)
        if found.count > topCount { found.removeLast() }
      }
    }
    top = found
  }

  /// Log-probability of a token with this logit.
  package func logprob(of logit: Float) -> Float { logit - logSumExp }

  /// The first of the largest logits; 0 if there is none (no logits, or only NaN).
  package static func argmax(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
    guard let first = logits.baseAddress else { return 0 }
    return Int32(truncatingIfNeeded: VectorOperations.argmax(first, count: logits.count))
  }
}
