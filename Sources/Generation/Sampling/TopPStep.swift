/// Keeps the fewest most probable candidates that together have at least `probability` (nucleus
/// sampling, Holtzman et al. 2020); never fewer than one.
package struct TopPStep: CandidateStep {
  let probability: Float

  package init(probability: Float) { self.probability = probability }

  package func apply(to candidates: inout Candidates) {
    guard probability < 1, candidates.items.count > 1 else { return }
    candidates.sort()
    let wanted = Double(probability) * (candidates.total ?? candidates.weight)
    var sum = 0.0
    for (index, item) in candidates.items.enumerated() {
      sum += Double(item.weight)
      if sum >= wanted {
        candidates.items.removeLast(candidates.items.count - index - 1)
        return
      }
    }
  }
}
