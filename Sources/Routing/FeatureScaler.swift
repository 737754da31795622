/// Brings every column to mean 0 and deviation 1.
struct FeatureScaler: Equatable, Sendable {
  let means: [Float]
  let deviations: [Float]

  /// Standardised values are cut here, so that a strange prompt cannot throw a prediction far off.
  static let limit = 8.0

  init(means: [Float], deviations: [Float]) {
    self.means = means
    self.deviations = deviations
  }

  init(_ rows: [[Float]]) {
    let width = rows.first?.count ?? 0
    var sums = Array(repeating: 0.0, count: width)
    var squares = Array(repeating: 0.0, count: width)
    for row in rows { for j in 0..<width { sums[j] += Double(row[j]) } }
    let count = Double(max(1, rows.count))
    let means = sums.map { $0 / count }
    for row in rows {
      for j in 0..<width {
        let difference = Double(row[j]) - means[j]
        squares[j] += difference * difference
      }
    }
    self.means = means.map(Float.init)
    // A column that never changes tells nothing; dividing by 1 leaves it at 0.
    deviations = squares.map { square in
      let deviation = (square / count).squareRoot()
      return deviation > 1e-8 ? Float(deviation) : 1
    }
  }

  /// Embedding and text features in one row; then the mean number of active experts, where it is used.
  static func columns(of input: RouterInput, activeExperts: Float? = nil) -> [Float] {
    input.embedding + input.features.values + (activeExperts.map { [$0] } ?? [])
  }

  func scale(_ row: [Float]) -> [Double] {
    row.indices.map { j in
      (Double(row[j] - means[j]) / Double(deviations[j])).clamped(-Self.limit, Self.limit)
    }
  }
}
