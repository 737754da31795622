import Kernels

/// The last step of a pass: the final norm, and the product with the vocabulary.
///
/// Logits are given out in slices, so that a text can be scored with a large vocabulary and little
/// memory.
///
/// If it refines, the activations of quantised weights enter twice: rounded to int8, and what the
/// rounding left, rounded once more. The weights are still read once, which is what a single row
/// costs, and the rounding error of the step that is nearest to the answer is gone: a fifth of the
/// whole pass's distance from the float truth.
struct OutputHead: Sendable {
  private let norm: FloatBuffer  // (width)
  private let matrix: WeightMatrix  // (vocabulary, width)
  private let epsilon: Float
  /// Rows of a slice.
  private let rowLimit: Int
  private let isSplit: Bool
  /// The slice's norms, then, if they are split, what rounding left of each. // (rows, width)
  private let normed: Activations
  private let logits: FloatBuffer  // (rows, vocabulary)

  /// - Parameters:
  ///   - refines: Whether activations enter twice; without effect on float weights.
  ///   - rowLimit: Rows of logits there is memory for.
  init(
    norm: FloatBuffer, matrix: WeightMatrix, epsilon: Float, refines: Bool, rowLimit: Int
  ) throws(KernelError) {
    self.norm = norm
    self.matrix = matrix
    self.epsilon = epsilon
    isSplit = refines && matrix.precision == .quantized
    let copies = isSplit ? 2 : 1
    self.rowLimit = max(1, rowLimit / copies)
    normed = try Activations(
      maxRows: self.rowLimit * copies, width: matrix.inputs, precision: matrix.precision)
    logits = try FloatBuffer(rows: self.rowLimit * copies, width: matrix.outputs)
  }

  /// Hands out the logits that the pass's batch asks for. Called by every worker.
  func apply(_ pass: DecoderPass, receive: (LogitRow) -> Void, worker: Worker) {
    let rows = pass.logitRows
    var first = 0
    while first < rows.count {
      // The last layer's result, or the slice before, is complete for all workers.
      worker.barrier()
      let count = min(rowLimit, rows.count - first)
      for index in worker.range(of: count) {
        normalise(pass.residual.row(rows[first + index]), index: index, count: count)
      }
      worker.barrier()
      matrix.multiply(
        normed, rows: 0..<(isSplit ? 2 * count : count), into: logits.pointer,
        stride: matrix.outputs, worker: worker)
      worker.barrier()
      if isSplit {
        VectorOperations.add(
          logits.row(count), to: logits.row(0), count: count * matrix.outputs, worker: worker)
        worker.barrier()
      }
      for index in worker.range(of: count) {
        let row = rows[first + index]
        receive(
          LogitRow(
            segment: pass.segment(row: row), position: pass.position(row: row),
            logits: UnsafeMutableBufferPointer(
              start: logits.row(index), count: matrix.outputs)))
      }
      first += count
    }
  }

  /// The final norm of a row; split, if weights are quantised, into row `index` and row
  /// `count + index`.
  private func normalise(_ source: UnsafePointer<Float>, index: Int, count: Int) {
    let width = matrix.inputs
    let row = normed.floats.row(index)
    VectorOperations.rmsNorm(
      source, weight: norm.pointer, epsilon: epsilon, into: row, rows: 1, width: width,
      worker: .alone)
    guard isSplit else {
      normed.quantize(rows: index..<index + 1, worker: .alone)
      return
    }
    normed.quantizeSplit(row, row: index, rest: count + index)
  }
}
