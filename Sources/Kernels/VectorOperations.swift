import CKernels
import Foundation

/// Operations on rows of floats. Those that take a worker do its share of the rows; the others do
/// all that they are given.
package enum VectorOperations {
  /// `destination` becomes the RMS norm of each row times `weight`; the two may be the same
  /// memory. For Gemma's per-head norms, rows are (tokens * heads) and width is headDim.
  package static func rmsNorm(
    _ source: UnsafePointer<Float>, weight: UnsafePointer<Float>, epsilon: Float,
    into destination: UnsafeMutablePointer<Float>, rows: Int, width: Int, worker: Worker
  ) {
    for row in worker.range(of: rows) {
      kernels.rms_norm(
        source + row * width, weight, Int64(width), epsilon, destination + row * width)
    }
  }

  /// `x[i] += y[i]`
  package static func add(
    _ y: UnsafePointer<Float>, to x: UnsafeMutablePointer<Float>, count: Int, worker: Worker
  ) {
    let share = worker.range(of: count, multipleOf: 16)
    kernels.add(x + share.lowerBound, y + share.lowerBound, Int64(share.count))
  }

  /// `x[i] += factor * y[i]`
  package static func add(
    _ y: UnsafePointer<Float>, times factor: Float, to x: UnsafeMutablePointer<Float>, count: Int
  ) {
    kernels.add_scaled(x, y, factor, Int64(count))
  }

  /// `x[i] += sum of factors[row] * rows[row][i]`, for rows that lie `stride` floats apart: a vector
  /// times a matrix of few rows.
  package static func add(
    rows: UnsafePointer<Float>, stride: Int, times factors: UnsafePointer<Float>, rowCount: Int,
    to x: UnsafeMutablePointer<Float>, count: Int
  ) {
    kernels.add_rows(x, rows, Int64(stride), factors, Int64(rowCount), Int64(count))
  }

  /// `x[i] *= factor`
  package static func scale(_ x: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
    kernels.scale(x, factor, Int64(count))
  }

  /// `x[i] = cap * tanh(x[i] / cap)`: numbers between -cap and cap, in the same order.
  package static func soften(_ x: UnsafeMutablePointer<Float>, cap: Float, count: Int) {
    kernels.soften_range(x, cap, Int64(count))
  }

  /// `destination[i] = function(gate[i]) * up[i]`; may be in place of either.
  package static func gate(
    _ gate: UnsafePointer<Float>, _ up: UnsafePointer<Float>, function: ActivationFunction,
    into destination: UnsafeMutablePointer<Float>, count: Int
  ) {
    kernels.gated(gate, up, Int64(count), function.rawValue, destination)
  }

  /// `destination[i] = function(x[i])`; may be in place.
  package static func activate(
    _ x: UnsafePointer<Float>, function: ActivationFunction,
    into destination: UnsafeMutablePointer<Float>, count: Int, worker: Worker
  ) {
    let share = worker.range(of: count, multipleOf: 16)
    kernels.gated(
      x + share.lowerBound, nil, Int64(share.count), function.rawValue,
      destination + share.lowerBound)
  }

  package static func dot(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int
  ) -> Double {
    kernels.dot(x, y, Int64(count))
  }

  /// Index of the largest number, the first among equals; never that of a NaN.
  package static func argmax(_ x: UnsafePointer<Float>, count: Int) -> Int {
    Int(kernels.argmax(x, Int64(count)))
  }

  /// Index, in `range`, of the first number that is at least `bound`; the range's end where none is.
  package static func firstIndex(
    in x: UnsafePointer<Float>, _ range: Range<Int>, atLeast bound: Float
  ) -> Int {
    Int(
      kernels.find_at_least(x, bound, Int64(range.lowerBound), Int64(range.upperBound)))
  }

  package static func maximum(_ x: UnsafePointer<Float>, count: Int) -> Float {
    kernels.maximum(x, Int64(count))
  }

  /// log of the sum of e^x: a logit minus this is its log-probability.
  package static func logSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
    let largest = kernels.maximum(x, Int64(count))
    guard largest.isFinite else { return Double(largest) }
    return Double(largest) + log(kernels.exp_sum(x, largest, Int64(count)))
  }

  /// x becomes e^(x - largest).
  package static func exponentials(
    _ x: UnsafeMutablePointer<Float>, below largest: Float, count: Int
  ) {
    kernels.exp_scale(x, largest, 1, Int64(count))
  }

  /// Softmax in place.
  package static func softmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
    let largest = kernels.maximum(x, Int64(count))
    guard largest.isFinite else { return }
    let sum = kernels.exp_sum(x, largest, Int64(count))
    kernels.exp_scale(x, largest, Float(1 / sum), Int64(count))
  }

  /// The mean of `rows` rows, scaled to length 1. // (rows, width) to (width)
  package static func meanPool(
    _ x: UnsafePointer<Float>, rows: Int, width: Int, into destination: UnsafeMutablePointer<Float>
  ) {
    destination.update(repeating: 0, count: width)
    for row in 0..<rows { kernels.add(destination, x + row * width, Int64(width)) }
    let squares = kernels.dot(destination, destination, Int64(width))
    guard squares > 0 else { return }
    kernels.scale(destination, Float(1 / squares.squareRoot()), Int64(width))
  }
}
