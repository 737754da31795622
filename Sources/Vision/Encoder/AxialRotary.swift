import Kernels

/// Rotary positions on a plane: the first half of a head's pairs is rotated by the patch's row, the other half by its
/// column, both with the same frequencies (Qwen2-VL, arXiv 2409.12191).
struct AxialRotary: Sendable {
  let headDim: Int
  let base: Double

  /// What each patch's heads are rotated by: cosines of all pairs, then sines. // (patches, headDim)
  func rotations(of grid: PatchGrid) throws(KernelError) -> FloatBuffer {
    let table = try RotaryEmbedding(
      style: .halves, headDim: headDim / 2, base: base, positions: max(grid.rows, grid.columns))
    let rotations = try FloatBuffer(rows: grid.count, width: headDim)
    let (pairs, frequencies) = (headDim / 2, headDim / 4)
    for patch in 0..<grid.count {
      let row = rotations.row(patch)
      for (axis, position) in [patch / grid.columns, patch % grid.columns].enumerated() {
        for frequency in 0..<frequencies {
          let (cosine, sine) = table.rotation(position: position, pair: frequency)
          row[axis * frequencies + frequency] = cosine
          row[pairs + axis * frequencies + frequency] = sine
        }
      }
    }
    return rotations
  }

  /// What rotates by rows of `rotations`.
  func rotor() throws(KernelError) -> RotaryEmbedding {
    try RotaryEmbedding(style: .halves, headDim: headDim, base: base, positions: 1)
  }
}
