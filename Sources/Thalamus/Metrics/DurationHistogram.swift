/// How long something took, counted into buckets as Prometheus wants them.
package struct DurationHistogram: Sendable, Equatable {
  /// Upper bounds in seconds, ascending; what is longer falls into one more bucket.
  package static let bounds: [Double] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]

  /// Durations at most `bounds[i]`, and longer than the bound before. The last are the longest.
  package private(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
  package private(set) var sumSeconds = 0.0

  package init() {}

  package var count: Int { counts.reduce(0, +) }

  package mutating func record(seconds: Double) {
    guard seconds.isFinite else { return }
    counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
    sumSeconds += seconds
  }
}
