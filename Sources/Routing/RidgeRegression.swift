import Foundation

/// Ridge regression with the penalty chosen by grouped cross-validation.
///
/// Minimises `sum (y - a - x w)^2 + lambda n |w|^2` with a free intercept a. The Gram matrix is
/// summed once a fold; every fold and every lambda is then one Cholesky factor, exact, in Double.
package enum RidgeRegression {
  /// One fitted target.
  package struct Fit: Sendable {
    /// (columns)
    package var weights: [Double]
    package var intercept: Double
    package var lambda: Double
    /// Mean squared error over the held-out folds, for each lambda of the grid.
    package var crossValidationErrors: [Double]
    /// What each row's prediction misses by when that row is left out; NaN for rows without target.
    package var leaveOneOutResiduals: [Double]
    /// Mean square of ``leaveOneOutResiduals``.
    package var residualVariance: Double
  }

  package static let defaultLambdas: [Double] = (-8...4).map { pow(10, Double($0) / 2) }

  /// - Parameters:
  ///   - matrix: standardised features. // (rows, columns)
  ///   - targets: for each target one value a row; NaN where it was not measured.
  ///   - folds: the fold of each row; rows of one fold are held out together.
  package static func fit(
    matrix: Matrix, targets: [[Double]], folds: [Int], lambdas: [Double] = defaultLambdas
  ) throws(RoutingError) -> [Fit] {
    guard folds.count == matrix.rows, targets.allSatisfy({ $0.count == matrix.rows }) else {
      throw .wrongDimension(field: "targets", expected: matrix.rows, found: folds.count)
    }
    guard !lambdas.isEmpty, lambdas.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw .invalidValue(field: "lambdas", value: "\(lambdas)", expected: "numbers above 0")
    }
    // Targets measured on the same rows share every factor.
    var groups: [[Bool]: [Int]] = [:]
    for (index, target) in targets.enumerated() {
      groups[target.map { !$0.isNaN }, default: []].append(index)
    }
    var fits: [Int: Fit] = [:]
    for (mask, members) in groups {
      let rows = mask.indices.filter { mask[$0] }
      guard rows.count >= 2 else {
        throw .notEnoughData(field: "outcomes", needed: 2, found: rows.count)
      }
      let group = Group(
        matrix: matrix, targets: members.map { targets[$0] }, rows: rows, folds: folds,
        lambdas: lambdas)
      for (place, fit) in try group.fit().enumerated() { fits[members[place]] = fit }
    }
    return targets.indices.compactMap { fits[$0] }
  }

  /// Targets that are known on the same rows.
  private struct Group {
    let matrix: Matrix
    let targets: [[Double]]
    let rows: [Int]
    let folds: [Int]
    let lambdas: [Double]

    func fit() throws(RoutingError) -> [Fit] {
      var byFold: [(rows: [Int], moments: RidgeMoments)] = []
      let grouped = Dictionary(grouping: rows) { folds[$0] }
      var total = RidgeMoments(columns: matrix.columns, targets: targets.count)
      for fold in grouped.keys.sorted() {
        let members = grouped[fold] ?? []
        let moments = RidgeMoments(matrix: matrix, targets: targets, rows: members)
        total.combine(moments, sign: 1)
        byFold.append((members, moments))
      }
      let errors = try crossValidate(byFold, total)
      var fits: [Fit] = []
      var cache: [Double: (factor: Matrix, leverages: [Double])] = [:]
      for target in targets.indices {
        let best = errors[target].indices.min { errors[target][$0] < errors[target][$1] } ?? 0
        let lambda = lambdas[best]
        let solved: (factor: Matrix, leverages: [Double])
        if let known = cache[lambda] {
          solved = known
        } else {
          let factor = try total.factor(penalty: lambda * total.count)
          solved = (factor, leverages(factor, total))
          cache[lambda] = solved
        }
        let (weights, intercept) = total.solve(target: target, factor: solved.factor)
        var residuals = Array(repeating: Double.nan, count: matrix.rows)
        var squares = 0.0
        for (place, row) in rows.enumerated() {
          let error = targets[target][row] - predict(row, weights, intercept)
          // The closed form of leaving a row out, exact for this penalty.
          residuals[row] = error / max(1e-9, 1 - solved.leverages[place])
          squares += residuals[row] * residuals[row]
        }
        fits.append(
          Fit(
            weights: weights, intercept: intercept, lambda: lambda,
            crossValidationErrors: errors[target], leaveOneOutResiduals: residuals,
            residualVariance: squares / Double(rows.count)))
      }
      return fits
    }

    /// Mean squared held-out error. // (targets, lambdas)
    private func crossValidate(
      _ byFold: [(rows: [Int], moments: RidgeMoments)], _ total: RidgeMoments
    ) throws(RoutingError) -> [[Double]] {
      var errors = targets.map { _ in Array(repeating: 0.0, count: lambdas.count) }
      // With one fold there is nothing to hold out: the middle of the grid is taken.
      guard byFold.count > 1 else {
        for target in targets.indices {
          for index in lambdas.indices { errors[target][index] = .infinity }
          errors[target][lambdas.count / 2] = .greatestFiniteMagnitude
        }
        return errors
      }
      for (members, moments) in byFold {
        var training = total
        training.combine(moments, sign: -1)
        for (index, lambda) in lambdas.enumerated() {
          let factor = try training.factor(penalty: lambda * training.count)
          for target in targets.indices {
            let (weights, intercept) = training.solve(target: target, factor: factor)
            for row in members {
              let error = targets[target][row] - predict(row, weights, intercept)
              errors[target][index] += error * error / Double(rows.count)
            }
          }
        }
      }
      return errors
    }

    private func predict(_ row: Int, _ weights: [Double], _ intercept: Double) -> Double {
      matrix.values.withUnsafeBufferPointer { x in
        weights.withUnsafeBufferPointer { w in
          guard let x = x.baseAddress, let w = w.baseAddress else { return intercept }
          return intercept + LinearAlgebra.dot(x + row * matrix.columns, w, matrix.columns)
        }
      }
    }

    /// Leverage of each row: how far its own outcome pulls its own prediction.
    private func leverages(_ factor: Matrix, _ total: RidgeMoments) -> [Double] {
      let mean = total.mean
      let width = matrix.columns
      return rows.map { row in
        var centred = (0..<width).map { matrix.values[row * width + $0] - mean[$0] }
        LinearAlgebra.forward(factor, &centred)
        return 1 / total.count + centred.reduce(0) { $0 + $1 * $1 }
      }
    }
  }
}
