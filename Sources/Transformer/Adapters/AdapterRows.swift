import Kernels

/// The B of an addition, transposed, its scale included. // (rank, outputs)
///
/// Beside quantised weights in half precision, as adapters' files mostly are: eight requests on
/// eight adapters read eight of these a step, and memory is what a step waits for.
enum AdapterRows: Sendable {
  case floats(FloatBuffer)
  case halves(HalfBuffer)

  init(_ floats: FloatBuffer, precision: WeightMatrix.Precision) throws(KernelError) {
    if precision == .quantized, let halves = try HalfBuffer(rounding: floats) {
      self = .halves(halves)
    } else {
      self = .floats(floats)
    }
  }

  var width: Int {
    switch self {
    case .floats(let rows): rows.width
    case .halves(let rows): rows.width
    }
  }

  var byteCount: Int {
    switch self {
    case .floats(let rows): rows.byteCount
    case .halves(let rows): rows.byteCount
    }
  }

  func buffer() throws(KernelError) -> FloatBuffer {
    switch self {
    case .floats(let rows): rows
    case .halves(let rows): try rows.floats()
    }
  }

  /// `x[i] += sum of factors[row] * rows[row][first + i]`. // factors (rank), x (count)
  @inline(__always)
  func add(
    from first: Int, times factors: UnsafePointer<Float>, rowCount: Int,
    to x: UnsafeMutablePointer<Float>, count: Int
  ) {
    switch self {
    case .floats(let rows):
      VectorOperations.add(
        rows: rows.pointer + first, stride: rows.width, times: factors, rowCount: rowCount, to: x,
        count: count)
    case .halves(let rows):
      VectorOperations.add(
        halfRows: rows.pointer + first, stride: rows.width, times: factors, rowCount: rowCount,
        to: x, count: count)
    }
  }
}
