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
  /// Whether the most probable comes first.
  package var isSorted = false

  package init() {}

  /// The candidates that can matter: those whose logit is at least `floor`.
  package mutating func fill(
    logits: UnsafeBufferPointer<Float>, inverseTemperature: Float, largest: Float, floor: Float
  ) {
    items.removeAll(keepingCapacity: true)
    isSorted = false
    for index in 0..<logits.count where logits[index] >= floor {
      items.append(
        Candidate(
          token: Int32(truncatingIfNeeded: index), logit: logits[index] * inverseTemperature,
          weight: Exponential.of((logits[index] - largest) * inverseTemperature)))
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
    var total = 0.0
    for item in items { total += Double(item.weight) }
    var rest = generator.nextUnit() * total
    for item in items {
      rest -= Double(item.weight)
      if rest < 0 { return item.token }
    }
    return items.last?.token
  }
}
