/// Keeps the `count` most probable candidates.
package struct TopKStep: CandidateStep {
  let count: Int

  package init(count: Int) { self.count = count }

  package func apply(to candidates: inout Candidates) {
    guard count > 0, candidates.items.count > count else { return }
    candidates.sort()
    candidates.items.removeLast(candidates.items.count - count)
  }
}
