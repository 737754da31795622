import Foundation

/// Ridge regression per expert on the standardised sentence embedding and text features.
///
/// The uncertainty of a prediction is `s sqrt(1 + h)`: s the expert's leave-one-out error, h the
/// prompt's leverage, which grows with its distance from what was trained on. The leverage uses
/// one penalty for all experts (the geometric mean of theirs), so that one matrix serves all.
package struct RidgeRouter: LossPredictor, Equatable {
  package var strategy: RoutingStrategy { .ridge }
  package let experts: [String]
  let scaler: FeatureScaler
  /// Around the mean of what it was trained on, which its columns begin with.
  package var space: EmbeddingSpace { EmbeddingSpace(mean: Array(scaler.means.prefix(dimension))) }
  /// (experts, columns)
  let weights: [[Float]]
  let intercepts: [Float]
  package let lambdas: [Double]
  /// Leave-one-out root mean square error of each expert, bits per byte.
  package let residualDeviations: [Double]
  /// Lower triangle, row by row, of the matrix whose quadratic form is the leverage.
  let leverage: [Float]
  let trainedRows: Int
  /// Whether the last column is the mean number of experts that a mixture's gates made active.
  package let usesActiveExperts: Bool

  /// Trains on the given outcomes. Where all of them say how many experts a mixture's gates made active,
  /// that is a column as well.
  package init(
    training set: TrainingSet, folds: Int = 5, lambdas: [Double] = RidgeRegression.defaultLambdas
  ) throws(RoutingError) {
    let usesActiveExperts = set.hasActiveExperts
    let rows = set.examples.map { example in
      FeatureScaler.columns(
        of: example.input, activeExperts: usesActiveExperts ? example.input.activeExperts : nil)
    }
    let scaler = FeatureScaler(rows)
    var matrix = Matrix(rows: set.examples.count, columns: scaler.means.count)
    for (row, columns) in rows.enumerated() {
      let scaled = scaler.scale(columns)
      for column in scaled.indices { matrix[row, column] = scaled[column] }
    }
    let losses = set.experts.map { expert in
      set.examples.map { $0.losses[expert] ?? .nan }
    }
    let fits = try Self.fit(
      matrix, losses: losses, levels: set.levels, folds: set.folds(folds), lambdas: lambdas)
    experts = set.experts
    self.scaler = scaler
    weights = fits.map { $0.weights.map(Float.init) }
    intercepts = fits.map { Float($0.intercept) }
    self.lambdas = fits.map(\.lambda)
    residualDeviations = fits.map { $0.residualVariance.squareRoot() }
    trainedRows = set.examples.count
    self.usesActiveExperts = usesActiveExperts
    let meanLog = fits.reduce(0) { $0 + log($1.lambda) } / Double(max(1, fits.count))
    leverage = try Self.leverageMatrix(matrix, lambda: exp(meanLog))
  }

  /// One fit an expert.
  ///
  /// A choice depends on the differences between experts alone, and those are small beside what
  /// the experts share, how hard a text is: one penalty for both would fit the noise of the one or
  /// miss the signal of the other. So the mean over experts and each expert's distance from it are
  /// fitted by themselves, each with its own penalty; an expert's weights are the sum. An expert that was
  /// measured on less than half of the prompts is held to be as good as the mean on the others: a fit
  /// to its own prompts alone would go on with what it found there wherever else it is asked.
  ///
  /// - Parameter levels: That mean, ``TrainingSet/levels``. // (rows)
  private static func fit(
    _ matrix: Matrix, losses: [[Double]], levels: [Double], folds: [Int], lambdas: [Double]
  ) throws(RoutingError) -> [RidgeRegression.Fit] {
    guard losses.count > 1 else {
      return try RidgeRegression.fit(
        matrix: matrix, targets: losses, folds: folds, lambdas: lambdas)
    }
    let distances = losses.map { column in
      let isRare = column.count { !$0.isNaN } * 2 < column.count
      return zip(column, levels).map { isRare && $0.isNaN && !$1.isNaN ? 0 : $0 - $1 }
    }
    let fits = try RidgeRegression.fit(
      matrix: matrix, targets: [levels] + distances, folds: folds, lambdas: lambdas)
    let shared = fits[0]
    return fits.dropFirst().enumerated().map { expert, fit in
      var sum = fit
      sum.weights = zip(fit.weights, shared.weights).map { $0 + $1 }
      sum.intercept += shared.intercept
      sum.leaveOneOutResiduals = zip(fit.leaveOneOutResiduals, shared.leaveOneOutResiduals)
        .map { $0 + $1 }
      let known = zip(sum.leaveOneOutResiduals, losses[expert])
        .filter { !$0.isNaN && !$1.isNaN }.map(\.0)
      sum.residualVariance = known.reduce(0) { $0 + $1 * $1 } / Double(max(1, known.count))
      return sum
    }
  }

  /// From stored numbers, which the caller has checked to fit together.
  init(
    experts: [String], scaler: FeatureScaler, weights: [[Float]], intercepts: [Float],
    lambdas: [Double], residualDeviations: [Double], leverage: [Float], trainedRows: Int,
    usesActiveExperts: Bool
  ) {
    self.experts = experts
    self.scaler = scaler
    self.weights = weights
    self.intercepts = intercepts
    self.lambdas = lambdas
    self.residualDeviations = residualDeviations
    self.leverage = leverage
    self.trainedRows = trainedRows
    self.usesActiveExperts = usesActiveExperts
  }

  /// Of the embedding.
  var dimension: Int {
    scaler.means.count - TextFeatures.names.count - (usesActiveExperts ? 1 : 0)
  }

  package func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction] {
    // Where the number could not be had, the mean says nothing for or against.
    let active = usesActiveExperts ? input.activeExperts ?? scaler.means.last : nil
    let columns = FeatureScaler.columns(of: input, activeExperts: active)
    guard columns.count == scaler.means.count else {
      throw .wrongDimension(
        field: "embedding", expected: dimension, found: input.embedding.count)
    }
    guard columns.allSatisfy(\.isFinite) else {
      throw .invalidValue(field: "embedding", value: "nan", expected: "finite numbers")
    }
    let x = scaler.scale(columns).map(Float.init)
    let spread = Double(1 + max(0, quadraticForm(x)) + 1 / Float(max(1, trainedRows))).squareRoot()
    return experts.indices.map { expert in
      var sum = intercepts[expert]
      for (a, b) in zip(weights[expert], x) { sum += a * b }
      return LossPrediction(
        expert: experts[expert], lossBitsPerByte: max(0, Double(sum)),
        standardError: residualDeviations[expert] * spread)
    }
  }

  /// `x^T M x` for the packed symmetric M.
  private func quadraticForm(_ x: [Float]) -> Float {
    var total: Float = 0
    var at = 0
    for i in x.indices {
      var row: Float = 0
      for j in 0..<i { row += leverage[at + j] * x[j] }
      total += x[i] * (2 * row + leverage[at + i] * x[i])
      at += i + 1
    }
    return total
  }

  private static func leverageMatrix(
    _ matrix: Matrix, lambda: Double
  ) throws(RoutingError) -> [Float] {
    let moments = RidgeMoments(matrix: matrix, targets: [], rows: Array(0..<matrix.rows))
    let factor = try moments.factor(penalty: lambda * moments.count)
    var packed: [Float] = []
    packed.reserveCapacity(matrix.columns * (matrix.columns + 1) / 2)
    for i in 0..<matrix.columns {
      var unit = Array(repeating: 0.0, count: matrix.columns)
      unit[i] = 1
      let column = LinearAlgebra.solve(factor, unit)
      packed += column[0...i].map(Float.init)
    }
    return packed
  }
}
