import Kernels

/// One linear map of a layer: a weight matrix, with a bias where the family has one.
package struct Projection: Sendable {
  let matrix: WeightMatrix
  let bias: FloatBuffer?

  /// The map of `rows`, written or added to `destination` // (rows, stride). Called by every
  /// worker; a barrier must follow.
  func apply(
    _ activations: Activations, rows: Int, into destination: UnsafeMutablePointer<Float>,
    stride: Int, accumulate: Bool = false, worker: Worker
  ) {
    matrix.multiply(
      activations, rows: 0..<rows, into: destination, stride: stride, accumulate: accumulate,
      worker: worker)
    if let bias {
      // A worker adds to what it computed itself, so that no barrier need stand between.
      let share = matrix.outputShare(worker)
      for row in 0..<rows {
        VectorOperations.add(
          bias.pointer + share.lowerBound, times: 1,
          to: destination + row * stride + share.lowerBound, count: share.count)
      }
    }
  }
}
