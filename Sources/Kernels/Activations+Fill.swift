import CKernels

/// The function between a feed-forward layer's two halves.
package enum ActivationFunction: Int32, Sendable {
  case silu = 0
  /// GELU by its tanh approximation.
  case geluTanh = 1
  /// GELU by the error function.
  case geluErf = 2
  /// gpt-oss's: with gate at most 7 and up within 7 of 0, `gate * sigmoid(1.702 * gate) * (up + 1)`.
  case clampedSwiGLU = 3
  /// A gate between 0 and 1.
  case sigmoid = 4
  /// The square of what is above 0 (Nemotron).
  case squaredReLU = 5
}

// Each of these is called by every worker and does that worker's share of the rows; a barrier
// must follow before the activations are used. Single rows are cut into blocks where the
// operation allows it.
extension Activations {
  /// Quantises what `floats` holds. Under `.float` there is nothing to do.
  package func quantize(rows: Range<Int>, worker: Worker) {
    guard precision == .quantized else { return }
    forEachPiece(of: rows, worker) { row, pieces in
      functions.quantize(
        floats.row(row), Int64(width), Int64(row), Int64(blocksPerRow), Int64(pieces.lowerBound),
        Int64(pieces.upperBound), blocks)
    }
  }

  /// Rows of `x` become their layer norms in place, and rows of the activations the same numbers.
  /// // x: (rows, width)
  /// - Parameter rest: Where the row is to be found that holds what rounding left of row 0; others
  ///   follow as the rows do (`quantizeSplit`). Nothing where it is nil, or under `.float`.
  package func layerNorm(
    _ x: UnsafeMutablePointer<Float>, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>,
    epsilon: Float, rows: Range<Int>, rest: Int? = nil, worker: Worker
  ) {
    precondition(rows.upperBound + (rest ?? 0) <= maxRows)
    let share = worker.range(of: rows.count)
    for row in rows.lowerBound + share.lowerBound..<rows.lowerBound + share.upperBound {
      let source = x + row * width
      functions.layer_norm(source, weight, bias, Int64(width), epsilon, source)
      switch (precision, rest) {
      case (.float, _): floats.row(row).update(from: source, count: width)
      case (.quantized, let rest?): quantizeSplit(source, row: row, rest: rest + row)
      case (.quantized, nil):
        functions.quantize(
          source, Int64(width), Int64(row), Int64(blocksPerRow), 0, Int64(blocksPerRow), blocks)
      }
    }
  }

  /// Quantises `source` as two rows: in row `row` rounded to int8, and in row `rest` what the
  /// rounding left, rounded once more. Only under `.quantized`. // source: (width)
  ///
  /// A product with both rows, added up, has the rounding error of 16-bit activations at the price
  /// of one more row; the weights are still read once.
  package func quantizeSplit(_ source: UnsafePointer<Float>, row: Int, rest: Int) {
    precondition(precision == .quantized && max(row, rest) < maxRows)
    functions.quantize_split(
      source, Int64(width), Int64(row), Int64(rest), Int64(blocksPerRow), blocks)
  }

  /// Rows become RMS norms of `source`'s rows times `weight`. // source: (rows, stride)
  /// - Parameter keepsFloats: Whether `floats` holds the rows too, under either precision.
  package func rmsNorm(
    _ source: UnsafePointer<Float>, stride: Int, weight: UnsafePointer<Float>, epsilon: Float,
    rows: Range<Int>, keepsFloats: Bool = false, worker: Worker
  ) {
    for index in worker.range(of: rows.count) {
      let row = rows.lowerBound + index
      let x = source + index * stride
      switch precision {
      case .float: functions.rms_norm(x, weight, Int64(width), epsilon, floats.row(row))
      case .quantized where keepsFloats:
        functions.rms_norm(x, weight, Int64(width), epsilon, floats.row(row))
        functions.quantize(
          floats.row(row), Int64(width), Int64(row), Int64(blocksPerRow), 0, Int64(blocksPerRow),
          blocks)
      case .quantized:
        functions.rms_norm_quantize(
          x, weight, Int64(width), epsilon, Int64(row), Int64(blocksPerRow), blocks)
      }
    }
  }

  /// Rows become those of `source`. // source: (rows, stride)
  package func take(
    _ source: UnsafePointer<Float>, stride: Int, rows: Range<Int>, worker: Worker
  ) {
    for index in worker.range(of: rows.count) {
      let row = rows.lowerBound + index
      floats.row(row).update(from: source + index * stride, count: width)
      quantize(rows: row..<row + 1, worker: .alone)
    }
  }

  /// Rows become `function(gate) * up`; without `up`, `function(gate)`. // (rows, stride) both
  package func gated(
    _ gate: UnsafePointer<Float>, _ up: UnsafePointer<Float>?, stride: Int,
    function: ActivationFunction, rows: Range<Int>, worker: Worker
  ) {
    forEachPiece(of: rows, worker) { row, pieces in
      let offset = (row - rows.lowerBound) * stride
      fill(row, pieces, gate + offset, up.map { $0 + offset }, function)
    }
  }

  /// The same right after this worker's share of the products that make `gate` and `up`, with
  /// matrices of the shape of `matrix`: each worker goes on with what it computed itself. Only where
  /// shares cut a block in two does it wait for the others first; every worker must call it.
  package func gated(
    _ gate: UnsafePointer<Float>, _ up: UnsafePointer<Float>?, stride: Int,
    function: ActivationFunction, rows: Range<Int>, after matrix: WeightMatrix, worker: Worker
  ) {
    precondition(matrix.outputs == width)
    let block = Int(TK_BLOCK)
    guard matrix.outputShares(of: worker.count, areMultiplesOf: block) else {
      worker.barrier()
      gated(gate, up, stride: stride, function: function, rows: rows, worker: worker)
      return
    }
    let mine = matrix.outputShare(worker)
    guard !mine.isEmpty else { return }
    let pieces = mine.lowerBound / block..<(mine.upperBound + block - 1) / block
    for row in rows {
      let offset = (row - rows.lowerBound) * stride
      fill(row, pieces, gate + offset, up.map { $0 + offset }, function)
    }
  }

  /// The same of a block that may have no gate: rows then become `function(up)`.
  package func gated(
    gate: UnsafePointer<Float>?, _ up: UnsafePointer<Float>, stride: Int,
    function: ActivationFunction, rows: Range<Int>, after matrix: WeightMatrix, worker: Worker
  ) {
    gated(
      gate ?? up, gate == nil ? nil : up, stride: stride, function: function, rows: rows,
      after: matrix, worker: worker)
  }

  /// Some blocks of a row become `function(gate) * up`. // gate, up (width)
  @inline(__always)
  private func fill(
    _ row: Int, _ pieces: Range<Int>, _ gate: UnsafePointer<Float>, _ up: UnsafePointer<Float>?,
    _ function: ActivationFunction
  ) {
    let first = pieces.lowerBound * Int(TK_BLOCK)
    switch precision {
    case .float:
      let count = min(pieces.upperBound * Int(TK_BLOCK), width) - first
      functions.gated(
        gate + first, up.map { $0 + first }, Int64(count), function.rawValue,
        floats.row(row) + first)
    case .quantized:
      functions.gated_quantize(
        gate, up, Int64(width), function.rawValue, Int64(row), Int64(blocksPerRow),
        Int64(pieces.lowerBound), Int64(pieces.upperBound), blocks)
    }
  }

  /// This worker's share of all the blocks of `rows`, a row at a time.
  @inline(__always)
  private func forEachPiece(
    of rows: Range<Int>, _ worker: Worker, _ body: (Int, Range<Int>) -> Void
  ) {
    let share = worker.range(of: rows.count * blocksPerRow)
    var next = share.lowerBound
    while next < share.upperBound {
      let row = next / blocksPerRow
      let end = min((row + 1) * blocksPerRow, share.upperBound)
      body(rows.lowerBound + row, next - row * blocksPerRow..<end - row * blocksPerRow)
      next = end
    }
  }
}
