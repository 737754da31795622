import CKernels

/// Rows of activations rounded to 8 bits, rotated as a ``RotatedMatrix`` is. // (rows, width)
package final class RotatedActivations: @unchecked Sendable {
  // Unchecked: whoever runs a pass decides which worker writes which rows and chunks.
  package let rows: Int
  package let shape: RotatedShape
  package var width: Int { shape.width }
  /// Parts of a row that are filled on their own. // chunks x chunkWidth = width
  package var chunks: Int { shape.chunks }
  package var chunkWidth: Int { shape.chunkWidth }

  let packed: tk_rotated_rows
  private let functions: tk_rotated_kernels
  private let memory: UnsafeMutableRawPointer
  private let byteCount: Int

  package init(rows: Int, shape: RotatedShape) throws(KernelError) {
    self.rows = rows
    self.shape = shape
    functions = shape.functions
    let places = try checkedByteCount(rows: rows, width: shape.chunks, bytesPerElement: 1)
    // The quants of a row's chunk, its scale, and four corrections.
    let quantBytes = shape.chunkWidth * Int(functions.quant_bytes)
    let each = quantBytes + 4 + 16
    byteCount = try checkedByteCount(rows: places, width: each, bytesPerElement: 1)
    memory = try allocate(byteCount)
    let scales = memory + places * quantBytes
    packed = tk_rotated_rows(
      quants: memory,
      scales: scales.assumingMemoryBound(to: Float.self),
      corrections: (scales + places * 4).assumingMemoryBound(to: Int32.self),
      rows: Int64(rows), chunks: Int64(shape.chunks), groups: Int64(shape.groups))
  }

  deinit { tk_free(memory, byteCount) }

  /// Layer norms of `count` rows of `source`, each to `hidden` as it is and to this one's rows from `row`
  /// on. `hidden` may be `source`. // source, hidden (count, width), weight, bias (width)
  package func layerNorm(
    _ source: UnsafePointer<Float>, count: Int, weight: UnsafePointer<Float>,
    bias: UnsafePointer<Float>, epsilon: Float, hidden: UnsafeMutablePointer<Float>, row: Int
  ) {
    precondition(row + count <= rows)
    var out = packed
    functions.layer_norm(
      source, Int64(width), Int64(count), weight, bias, epsilon, hidden, Int64(width), &out,
      Int64(row))
  }

  /// Some chunks of `count` rows of `source`, or of its GELU, to this one's rows from `row` on.
  /// // source (count, width)
  package func quantize(
    _ source: UnsafePointer<Float>, stride: Int, count: Int, chunks: Range<Int>, gelu: Bool,
    row: Int
  ) {
    precondition(row + count <= rows && chunks.upperBound <= self.chunks)
    var out = packed
    functions.quantize(
      source, Int64(stride), Int64(count), Int64(chunks.lowerBound), Int64(chunks.upperBound),
      gelu, &out, Int64(row))
  }
}
