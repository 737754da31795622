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
    var best = 0
    var largest = -Float.infinity
    var index = 0
    // Blocks of 64: the maximum of a block vectorises, its place is looked for only if it wins.
    while index < logits.count {
      let end = min(index + 64, logits.count)
      var blockLargest = -Float.infinity
      for i in index..<end {
        blockLargest = logits[i] > blockLargest ? logits[i] : blockLargest
      }
      if blockLargest > largest {
        largest = blockLargest
        for i in index..<end where logits[i] == largest {
          best = i
          break
        }
      }
      index = end
    }
    return Int32(truncatingIfNeeded: best)
  }
}
