/// Which of several points no other beats.
package enum ParetoFront {
  /// Indices of the points that none dominates (smaller is better in every coordinate).
  ///
  /// One point dominates another if it is nowhere larger and somewhere smaller; so of points that
  /// are equal all are on the front. Points with NaN never are.
  package static func indices(_ points: [[Double]]) -> [Int] {
    points.indices.filter { index in
      guard points[index].allSatisfy({ !$0.isNaN }) else { return false }
      return !points.indices.contains { other in dominates(points[other], points[index]) }
    }
  }

  private static func dominates(_ a: [Double], _ b: [Double]) -> Bool {
    var smaller = false
    for (x, y) in zip(a, b) {
      guard x <= y else { return false }
      if x < y { smaller = true }
    }
    return smaller
  }
}
