/// How many letters two words differ by, for suggestions after a misspelling.
package enum EditDistance {
  /// Levenshtein distance over unicode scalars.
  package static func between(_ first: String, _ second: String) -> Int {
    let a = Array(first.unicodeScalars)
    let b = Array(second.unicodeScalars)
    var previous = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var current = [i + 1]
      for (j, y) in b.enumerated() {
        current.append(min(previous[j + 1] + 1, current[j] + 1, previous[j] + (x == y ? 0 : 1)))
      }
      previous = current
    }
    return previous[b.count]
  }

  /// The candidate nearest to a word, if any is near enough to be what was meant.
  package static func nearest(to word: String, among candidates: [String]) -> String? {
    // Only the start of a hostile word is compared: the distance is quadratic.
    let word = String(word.prefix(100))
    let scored = candidates.map { ($0, between(word, $0)) }
    guard let best = scored.min(by: { $0.1 < $1.1 }) else { return nil }
    return best.1 <= max(2, word.count / 3) ? best.0 : nil
  }
}
