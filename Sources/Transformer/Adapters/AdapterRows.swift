import Kernels

/// The B of an addition, transposed, its scale included. // (rank, outputs)
///
/// Beside quantised weights in single bytes: eight requests on eight adapters read eight of these a
/// step, and memory is what a step waits for.
enum AdapterRows: Sendable {
  case floats(FloatBuffer)
  case bytes(ByteTiles)

  init(_ floats: FloatBuffer, precision: WeightMatrix.Precision) throws(KernelError) {
    switch precision {
    case .float: self = .floats(floats)
    case .quantized: self = .bytes(try ByteTiles(rounding: floats))
    }
  }

  var byteCount: Int {
    switch self {
    case .floats(let rows): rows.byteCount
    case .bytes(let tiles): tiles.byteCount
    }
  }

  /// What the rows of A are multiplied by before they are packed; nil is 1. // (rank)
  var scales: [Float]? {
    switch self {
    case .floats: nil
    case .bytes(let tiles): tiles.scales
    }
  }

  func buffer() throws(KernelError) -> FloatBuffer {
    switch self {
    case .floats(let rows): rows
    case .bytes(let tiles): try tiles.floats()
    }
  }

  /// `x[r][i] += sum over k of factors[r][k] * B[first + i][k]`. // factors (rowCount, factorStride)
  ///
  /// - Parameters:
  ///   - first: A multiple of the matrices' output group.
  ///   - x: (rowCount, stride)
  @inline(__always)
  func add(
    from first: Int, times factors: UnsafePointer<Float>, factorStride: Int, rowCount: Int,
    to x: UnsafeMutablePointer<Float>, stride: Int, count: Int
  ) {
    switch self {
    case .floats(let rows):
      for row in 0..<rowCount {
        VectorOperations.add(
          rows: rows.pointer + first, stride: rows.width, times: factors + row * factorStride,
          rowCount: rows.rows, to: x + row * stride, count: count)
      }
    case .bytes(let tiles):
      tiles.add(
        from: first, times: factors, factorStride: factorStride, rowCount: rowCount, to: x,
        stride: stride, count: count)
    }
  }
}
