import Foundation
import Kernels

/// One feed-forward network, of the many that a layer has.
struct Expert: Sendable {
  /// nil where the activation has none.
  let gate: Projection?
  let up: Projection
  let down: Projection
  /// Factor on the weight that the gate gives it.
  var scale: Float = 1

  /// Width of the residual stream.
  var width: Int { down.matrix.outputs }
  /// Width between its two halves.
  var inner: Int { up.matrix.outputs }
  var byteCount: Int {
    (gate?.matrix.byteCount ?? 0) + up.matrix.byteCount + down.matrix.byteCount
  }

  /// The first half, for `rows` of `source`. // gate, up: (rows, inner)
  func expand(
    _ source: Activations, rows: Range<Int>, gate gateRows: UnsafeMutablePointer<Float>,
    up upRows: UnsafeMutablePointer<Float>, worker: Worker
  ) {
    gate?.apply(source, rows: rows, into: gateRows, stride: inner, worker: worker)
    up.apply(source, rows: rows, into: upRows, stride: inner, worker: worker)
  }
}

/// An expert that every row passes through, beside those that a gate chooses.
struct SharedExpert: Sendable {
  let expert: Expert
  /// The sigmoid of this map's product with a row scales the row's result (Qwen2-MoE); nil: 1.
  /// // (width)
  let inputGate: FloatBuffer?

  var inner: Int { expert.inner }
  var byteCount: Int { expert.byteCount }

  /// The factors of rows whose float norms stand in `floats`.
  func prepare(_ floats: FloatBuffer, rows: Range<Int>, factors: UnsafeMutablePointer<Float>) {
    guard let inputGate else { return }
    for row in rows {
      let score = VectorOperations.dot(floats.row(row), inputGate.pointer, count: floats.width)
      factors[row] = Float(Self.sigmoid(score))
    }
  }

  func expand(_ source: Activations, rows: Int, _ mixture: MixtureBuffers, worker: Worker) {
    guard let buffers = mixture.shared else { return }
    expert.expand(
      source, rows: 0..<rows, gate: buffers.gate.pointer, up: buffers.up.pointer, worker: worker)
  }

  func activate(
    _ function: ActivationFunction, rows: Int, _ mixture: MixtureBuffers, worker: Worker
  ) {
    guard let buffers = mixture.shared else { return }
    buffers.gated.gated(
      gate: expert.gate == nil ? nil : buffers.gate.pointer, buffers.up.pointer, stride: inner,
      function: function, rows: 0..<rows, after: expert.up.matrix, worker: worker)
  }

  /// Writes or adds the result to `output` // (rows, width), this worker's outputs only.
  func reduce(
    _ mixture: MixtureBuffers, rows: Int, _ output: UnsafeMutablePointer<Float>,
    accumulate: Bool, worker: Worker
  ) {
    guard let buffers = mixture.shared else { return }
    let width = expert.width
    guard inputGate != nil else {
      expert.down.apply(
        buffers.gated, rows: 0..<rows, into: output, stride: width, accumulate: accumulate,
        worker: worker)
      return
    }
    let result = buffers.result
    expert.down.apply(
      buffers.gated, rows: 0..<rows, into: result.pointer, stride: width, worker: worker)
    let mine = expert.down.matrix.outputShare(worker)
    for row in 0..<rows {
      let target = output + row * width + mine.lowerBound
      if !accumulate { target.update(repeating: 0, count: mine.count) }
      VectorOperations.add(
        result.row(row) + mine.lowerBound, times: mixture.sharedFactors[row], to: target,
        count: mine.count)
    }
  }

  private static func sigmoid(_ x: Double) -> Double {
    // e^-x of a very negative x is infinite, and 1 / infinity the right 0.
    1 / (1 + exp(-x))
  }
}
