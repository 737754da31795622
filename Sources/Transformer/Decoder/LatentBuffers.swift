import Kernels

/// The buffers of a pass that only latent attention needs.
struct LatentBuffers: Sendable {
  /// Each row's latent, then its rotated key. // (rows, keyValueRank + rotatedDim)
  let compressed: FloatBuffer
  /// The latents' norms. // (rows, keyValueRank)
  let normed: Activations
  /// Each head's plain key, then its value. // (rows, heads, plainDim + valueDim)
  let expanded: FloatBuffer
  /// The queries' latents and their norms. // (rows, queryRank)
  let query: FloatBuffer?
  let queryNormed: Activations?

  init(
    _ shape: LatentShape, _ configuration: DecoderConfiguration,
    precision: WeightMatrix.Precision, rows: Int
  ) throws(KernelError) {
    compressed = try FloatBuffer(rows: rows, width: shape.keyValueRank + shape.rotatedDim)
    normed = try Activations(maxRows: rows, width: shape.keyValueRank, precision: precision)
    expanded = try FloatBuffer(
      rows: rows, width: configuration.headCount * (shape.plainDim + configuration.valueDim))
    if let rank = shape.queryRank {
      query = try FloatBuffer(rows: rows, width: rank)
      queryNormed = try Activations(maxRows: rows, width: rank, precision: precision)
    } else {
      query = nil
      queryNormed = nil
    }
  }
}
