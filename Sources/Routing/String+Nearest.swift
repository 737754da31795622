extension String {
  /// The nearest of some names by edit distance, if it is near enough to be a slip.
  package func nearest(among names: [String]) -> String? {
    guard utf8.count <= 64 else { return nil }
    let scored = names.map { (name: $0, distance: editDistance(to: $0)) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(2, best.name.count / 3) ? best.name : nil
  }

  private func editDistance(to other: String) -> Int {
    let a = Array(lowercased().utf8)
    let b = Array(other.lowercased().utf8)
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let substituted = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = Swift.min(substituted, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
