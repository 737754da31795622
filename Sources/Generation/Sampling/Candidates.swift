import Kernels

/// The tokens that may still be chosen, with their scaled logits. The storage is kept from token
/// to token, so that sampling allocates nothing once it has run.
package struct Candidates: Sendable {
  package struct Candidate: Sendable, Equatable {
    package var token: Int32
    /// The logit, divided by the temperature.
    package var logit: Float
    /// exp(logit - largest logit); not normalised.
    package var weight: Float
  }

  package var items: [Candidate] = []
  /// The weight of all tokens, where `items` are only the most probable ones; nil where these are all
  /// that counts.
  package var total: Double?
  /// Whether the most probable comes first.
  package var isSorted = false

  package init() {}

  /// The weight of all candidates.
  package var weight: Double { items.reduce(0) { $0 + Double($1.weight) } }

  /// Takes the tokens whose scaled logit is at least `floor`.
  /// - Parameter largest: The largest scaled logit.
  package mutating func fill(
    logits: UnsafeBufferPointer<Float>, largest: Float, floor: Float
  ) {
    items.removeAll(keepingCapacity: true)
    isSorted = false
    guard let first = logits.baseAddress else { return }
    var index = 0
    while true {
      index = VectorOperations.firstIndex(in: first, index..<logits.count, atLeast: floor)
      guard index < logits.count else { return }
      items.append(
        Candidate(
          token: Int32(truncatingIfNeeded: index), logit: logits[index],
          weight: Exponential.of(logits[index] - largest)))
      index += 1
    }
  }

  /// Most probable first; equal ones in the order of their ids, so that a seed decides alone.
  package mutating func sort() {
    guard !isSorted else { return }
    items.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.token < $1.token }
    isSorted = true
  }

  /// Draws one token with probability proportional to its weight.
  package func draw(using generator: inout SeededGenerator) -> Int32? {
    var rest = generator.nextUnit() * weight
    for item in items {
      rest -= Double(item.weight)
      if rest < 0 { return item.token }
    }
    return items.last?.token
  }
}
