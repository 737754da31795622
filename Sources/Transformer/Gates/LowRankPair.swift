import Kernels

/// A low-rank change of a linear map: scale x B A. An expert of a mixture of LoRAs.
package struct LowRankPair: Sendable {
  /// A. // (rank, inputs)
  package let down: FloatBuffer
  /// B, transposed, so that each of its rows is added to the output. // (rank, outputs)
  package let up: FloatBuffer
  /// alpha / rank, as a rule.
  package let scale: Float

  package var rank: Int { down.rows }
  package var inputs: Int { down.width }
  package var outputs: Int { up.width }

  package init(down: FloatBuffer, up: FloatBuffer, scale: Float) throws(ModelError) {
    guard down.rows == up.rows else {
      throw .wrongShape(
        tensor: "low-rank B", shape: [up.width, up.rows], expected: [up.width, down.rows])
    }
    guard scale.isFinite else {
      throw .invalidValue(
        key: "low-rank scale", value: "\(scale)", expected: "a finite number")
    }
    self.down = down
    self.up = up
    self.scale = scale
  }

  /// Adds scale x B A x to `output`. // x (inputs), output (outputs)
  package func apply(_ x: UnsafePointer<Float>, to output: UnsafeMutablePointer<Float>) {
    for index in 0..<rank {
      let inner = Float(VectorOperations.dot(x, down.row(index), count: inputs)) * scale
      VectorOperations.add(up.row(index), times: inner, to: output, count: outputs)
    }
  }
}
