import CKernels

extension WeightMatrix {
  /// The outputs that `multiply` computes on this worker: what a worker may add to them needs no
  /// barrier in between.
  package func outputShare(_ worker: Worker) -> Range<Int> {
    let tiles = worker.range(of: tileCount)
    return min(tiles.lowerBound * Self.tile, outputs)..<min(tiles.upperBound * Self.tile, outputs)
  }

  /// Whether the shares of so many workers begin at multiples of `unit`.
  func outputShares(of workers: Int, areMultiplesOf unit: Int) -> Bool {
    (0..<workers).allSatisfy { tileCount * $0 / workers * Self.tile % unit == 0 }
  }

  /// `destination[row - rows.lowerBound][output]` becomes (or grows by) the product of the
  /// activations' `rows` with this matrix. Every worker calls it and does its share of the
  /// outputs; a barrier must follow before the result is read.
  ///
  /// A row's result is the same to the last bit however many rows the call has.
  /// - Parameter bias: Added to each row. // (outputs)
  package func multiply(
    _ activations: Activations, rows: Range<Int>, into destination: UnsafeMutablePointer<Float>,
    stride: Int, accumulate: Bool = false, bias: FloatBuffer? = nil, worker: Worker
  ) {
    precondition(bias.map { $0.count == outputs } ?? true)
    precondition(activations.width == inputs && activations.precision == precision)
    precondition(rows.lowerBound >= 0 && rows.upperBound <= activations.maxRows)
    guard !rows.isEmpty else { return }
    let tiles = worker.range(of: tileCount)
    guard !tiles.isEmpty else { return }
    switch precision {
    case .float:
      functions.multiply_float(
        memory.assumingMemoryBound(to: Float.self), Int64(outputs), Int64(inputs),
        Int64(tiles.lowerBound), Int64(tiles.upperBound), activations.floats.row(rows.lowerBound),
        Int64(activations.width), Int64(rows.count), destination, Int64(stride), accumulate)
      guard let bias else { return }
      let mine = outputShare(worker)
      for row in 0..<rows.count {
        functions.add(
          destination + row * stride + mine.lowerBound, bias.pointer + mine.lowerBound,
          Int64(mine.count))
      }
    case .quantized:
      var matrix = packed
      matrix.bias = bias.map { UnsafePointer($0.pointer) }
      withUnsafePointer(to: matrix) {
        functions.multiply(
          $0, Int64(tiles.lowerBound), Int64(tiles.upperBound), activations.blocks,
          Int64(rows.lowerBound), Int64(rows.count), destination, Int64(stride), accumulate)
      }
    }
  }

  /// The product of plain rows of floats with a matrix of precision `.float`, for small matrices
  /// that are no layer's: some of the outputs, all of which the caller does. `outputs` begins and
  /// ends at multiples of `outputGroup`, or at the last output; `destination` is where the first
  /// row's output 0 lies. // x (rowCount, xStride), destination (rowCount, stride)
  package func multiply(
    floats x: UnsafePointer<Float>, stride xStride: Int, rowCount: Int, outputs range: Range<Int>,
    into destination: UnsafeMutablePointer<Float>, stride: Int
  ) {
    precondition(precision == .float && range.lowerBound >= 0 && range.upperBound <= outputs)
    precondition(range.lowerBound.isMultiple(of: Self.tile))
    precondition(range.upperBound.isMultiple(of: Self.tile) || range.upperBound == outputs)
    guard rowCount > 0, !range.isEmpty else { return }
    functions.multiply_float(
      memory.assumingMemoryBound(to: Float.self), Int64(outputs), Int64(inputs),
      Int64(range.lowerBound / Self.tile), Int64((range.upperBound + Self.tile - 1) / Self.tile),
      x, Int64(xStride), Int64(rowCount), destination, Int64(stride), false)
  }

  /// Adds the product of one row of quantised activations to a group of outputs alone.
  /// - Parameter destination: Where the row's output 0 lies.
  package func addGroup(
    _ group: Int, of activations: Activations, row: Int,
    to destination: UnsafeMutablePointer<Float>
  ) {
    precondition(precision == .quantized && activations.precision == .quantized)
    precondition(activations.width == inputs && row >= 0 && row < activations.maxRows)
    precondition(group >= 0 && group < tileCount)
    withUnsafePointer(to: packed) {
      functions.multiply(
        $0, Int64(group), Int64(group + 1), activations.blocks, Int64(row), 1, destination,
        Int64(outputs), true)
    }
  }

  /// Outputs that are multiplied together, at a cost that no part of them lowers.
  package static let outputGroup = tile
}
