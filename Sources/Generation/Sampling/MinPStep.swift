/// Keeps candidates with at least `share` of the most probable one's probability.
package struct MinPStep: CandidateStep {
  let share: Float

  package init(share: Float) { self.share = share }

  package func apply(to candidates: inout Candidates) {
    guard share > 0 else { return }
    let largest = candidates.items.reduce(0) { max($0, $1.weight) }
    candidates.items.removeAll { $0.weight < share * largest }
  }
}
