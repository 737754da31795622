import Kernels

/// The last step of a pass: the final norm, and the product with the vocabulary.
///
/// Logits are given out in slices, so that a text can be scored with a large vocabulary and little
/// memory.
///
/// If it refines, likely outputs are computed with activations of twice the bits: what rounding a
/// row to int8 left is rounded once more, and its product is added to each group of outputs in
/// which one is near the largest. The rounding error of the step that is nearest to the answer is
/// gone, a fifth of the whole pass's distance from the float truth, for less than a twentieth of
/// the head's arithmetic; the outputs that stay as they were are so improbable that their error
/// does not show. Which they are depends on the row alone, so not on the batch.
struct OutputHead: Sendable {
  private let norm: FloatBuffer  // (width)
  private let matrix: WeightMatrix  // (vocabulary, width)
  private let epsilon: Float
  /// Logits are bent into this range at last; nil: they stay.
  private let softcap: Float?
  /// Rows of a slice.
  private let rowLimit: Int
  private let isSplit: Bool
  /// Logits so far below the largest are not refined: e^-7 of its probability.
  private static let refinedDistance: Float = 7
  /// The slice's norms, then, if they are split, what rounding left of each. // (rows, width)
  private let normed: Activations
  private let logits: FloatBuffer  // (rows, vocabulary)

  /// - Parameters:
  ///   - refines: Whether activations enter twice; without effect on float weights.
  ///   - rowLimit: Rows of logits there is memory for.
  init(
    norm: FloatBuffer, matrix: WeightMatrix, epsilon: Float, softcap: Float? = nil, refines: Bool,
    rowLimit: Int
  ) throws(KernelError) {
    self.norm = norm
    self.matrix = matrix
    self.epsilon = epsilon
    self.softcap = softcap
    isSplit = refines && matrix.precision == .quantized
    let copies = isSplit ? 2 : 1
    self.rowLimit = max(1, rowLimit)
    normed = try Activations(
      maxRows: self.rowLimit * copies, width: matrix.inputs, precision: matrix.precision)
    logits = try FloatBuffer(rows: self.rowLimit, width: matrix.outputs)
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
        normed, rows: 0..<count, into: logits.pointer, stride: matrix.outputs, worker: worker)
      worker.barrier()
      if isSplit { refine(count: count, worker) }
      for index in worker.range(of: count) {
        let row = rows[first + index]
        if let softcap {
          VectorOperations.soften(logits.row(index), cap: softcap, count: matrix.outputs)
        }
        receive(
          LogitRow(
            segment: pass.segment(row: row), position: pass.position(row: row),
            logits: UnsafeMutableBufferPointer(
              start: logits.row(index), count: matrix.outputs)))
      }
      first += count
    }
  }

  /// Adds what rounding the slice's rows left to their likely outputs.
  private func refine(count: Int, _ worker: Worker) {
    if count >= worker.count {
      // Whole rows, which `apply` then hands out on the same worker.
      for index in worker.range(of: count) {
        let bound = likelyBound(index)
        refine(index, count: count, outputs: 0..<matrix.outputs, bound: bound)
      }
      return
    }
    for index in 0..<count {
      let bound = likelyBound(index)
      // All look for the largest before any makes it larger.
      worker.barrier()
      refine(index, count: count, outputs: matrix.outputShare(worker), bound: bound)
    }
    worker.barrier()
  }

  private func likelyBound(_ index: Int) -> Float {
    VectorOperations.maximum(logits.row(index), count: matrix.outputs) - Self.refinedDistance
  }

  private func refine(_ index: Int, count: Int, outputs: Range<Int>, bound: Float) {
    let row = logits.row(index)
    let group = WeightMatrix.outputGroup
    var output = outputs.lowerBound
    while true {
      output = VectorOperations.firstIndex(in: row, output..<outputs.upperBound, atLeast: bound)
      if output >= outputs.upperBound { return }
      matrix.addGroup(output / group, of: normed, row: count + index, to: row)
      output = min((output / group + 1) * group, outputs.upperBound)
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
