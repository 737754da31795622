import CKernels

/// The left side of a product: rows of activations in the form that the matrices want.
///
/// Under `.float` that is `floats` itself. Under `.quantized` it is int8 in blocks of 32 beside
/// it; the fused operations (`rmsNorm`, `gated`, attention) fill it without going through
/// `floats`, whose contents are then stale.
package final class Activations: @unchecked Sendable {
  // Unchecked: as FloatBuffer.
  package let maxRows: Int
  package let width: Int
  package let precision: WeightMatrix.Precision
  /// The rows as floats. Write here, then call `quantize`. // (maxRows, width)
  package let floats: FloatBuffer

  let blocks: UnsafeMutablePointer<tk_activation_block>
  /// Blocks of 32 in a row, the last one padded.
  let blocksPerRow: Int
  let functions: tk_kernels
  package let byteCount: Int

  package init(
    maxRows: Int, width: Int, precision: WeightMatrix.Precision,
    instructionSet: InstructionSet = .current
  ) throws(KernelError) {
    self.maxRows = maxRows
    self.width = width
    self.precision = precision
    functions = instructionSet.functions
    floats = try FloatBuffer(rows: maxRows, width: width)
    blocksPerRow = (width + Int(TK_BLOCK) - 1) / Int(TK_BLOCK)
    var bytes = 0
    if precision == .quantized {
      let group = Int(TK_ROW_GROUP)
      bytes = try checkedByteCount(
        rows: (maxRows + group - 1) / group * group, width: blocksPerRow,
        bytesPerElement: MemoryLayout<tk_activation_block>.stride)
    }
    blocks = try allocate(bytes).assumingMemoryBound(to: tk_activation_block.self)
    byteCount = bytes + floats.byteCount
  }

  deinit { tk_free(blocks, byteCount - floats.byteCount) }
}
