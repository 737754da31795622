import Kernels

/// One linear map of a layer: a weight matrix, with a bias where the family has one.
package struct Projection: Sendable {
  package let matrix: WeightMatrix
  package let bias: FloatBuffer?

  /// The map of the first `rows` rows, written or added to `destination` // (rows, stride). Called by every
  /// worker; a barrier must follow.
  package func apply(
    _ activations: Activations, rows: Int, into destination: UnsafeMutablePointer<Float>,
    stride: Int, accumulate: Bool = false, worker: Worker
  ) {
    apply(
      activations, rows: 0..<rows, into: destination, stride: stride, accumulate: accumulate,
      worker: worker)
  }

  /// The same for any rows, of which the first goes to `destination`.
  package func apply(
    _ activations: Activations, rows: Range<Int>, into destination: UnsafeMutablePointer<Float>,
    stride: Int, accumulate: Bool = false, worker: Worker
  ) {
    matrix.multiply(
      activations, rows: rows, into: destination, stride: stride, accumulate: accumulate,
      bias: bias, worker: worker)
  }
}
