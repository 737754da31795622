/// Sums over rows from which ridge regressions are solved: of x, of x x^T, and for each target of
/// y and of x y. Moments of disjoint rows add up, so those of "all folds but one" are a difference.
struct RidgeMoments {
  var count = 0.0
  var sum: [Double]
  var gram: Matrix
  var targetSums: [Double]
  /// (targets, columns)
  var products: [[Double]]

  init(columns: Int, targets: Int) {
    sum = Array(repeating: 0, count: columns)
    gram = Matrix(rows: columns, columns: columns)
    targetSums = Array(repeating: 0, count: targets)
    products = Array(repeating: Array(repeating: 0, count: columns), count: targets)
  }

  /// Over the given rows; only the upper triangle of the Gram matrix is filled, until ``mirror()``.
  init(matrix: Matrix, targets: [[Double]], rows: [Int]) {
    self.init(columns: matrix.columns, targets: targets.count)
    let width = matrix.columns
    count = Double(rows.count)
    matrix.values.withUnsafeBufferPointer { x in
      guard let x = x.baseAddress else { return }
      gram.values.withUnsafeMutableBufferPointer { gram in
        guard let gram = gram.baseAddress else { return }
        for start in stride(from: 0, to: rows.count, by: 4) {
          let block = rows[start..<min(start + 4, rows.count)].map { x + $0 * width }
          LinearAlgebra.addOuterProducts(block, to: gram, width)
        }
      }
      for row in rows {
        for j in 0..<width { sum[j] += x[row * width + j] }
        for target in targets.indices {
          let y = targets[target][row]
          targetSums[target] += y
          products[target].withUnsafeMutableBufferPointer { sums in
            for j in 0..<width { sums[j] += y * x[row * width + j] }
          }
        }
      }
    }
    mirror()
  }

  private mutating func mirror() {
    for i in 0..<gram.rows {
      for j in 0..<i { gram[i, j] = gram[j, i] }
    }
  }

  mutating func combine(_ other: RidgeMoments, sign: Double) {
    count += sign * other.count
    for i in sum.indices { sum[i] += sign * other.sum[i] }
    for i in gram.values.indices { gram.values[i] += sign * other.gram.values[i] }
    for target in targetSums.indices {
      targetSums[target] += sign * other.targetSums[target]
      for i in sum.indices { products[target][i] += sign * other.products[target][i] }
    }
  }

  var mean: [Double] { sum.map { $0 / count } }

  /// Factor of the centred Gram matrix + penalty on the diagonal.
  func factor(penalty: Double) throws(RoutingError) -> Matrix {
    var centred = gram
    let width = gram.columns
    let mean = mean
    for i in 0..<width {
      let scaled = mean[i] * count
      for j in 0..<width { centred.values[i * width + j] -= scaled * mean[j] }
      centred.values[i * width + i] += penalty
    }
    guard let factor = LinearAlgebra.cholesky(centred) else {
      throw .numericalFailure(field: "ridge regression")
    }
    return factor
  }

  /// Weights and intercept of one target.
  func solve(target: Int, factor: Matrix) -> (weights: [Double], intercept: Double) {
    let mean = mean
    let targetMean = targetSums[target] / count
    let right = mean.indices.map { products[target][$0] - count * mean[$0] * targetMean }
    let weights = LinearAlgebra.solve(factor, right)
    return (weights, targetMean - zip(weights, mean).reduce(0) { $0 + $1.0 * $1.1 })
  }
}
