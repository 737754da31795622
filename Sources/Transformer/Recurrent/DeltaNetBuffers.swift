import Kernels

/// The buffers of a pass that only delta-net layers and the gated attention between them need.
struct DeltaNetBuffers: Sendable {
  /// Queries, keys and values before the convolution, and behind it. // (rows, channels)
  let mixed: FloatBuffer
  let convolved: FloatBuffer
  /// What opens the output. // (rows, valueWidth)
  let gate: FloatBuffer
  /// What comes of the decay and the beta of each head, first their products. // (rows, valueHeads)
  let decays: FloatBuffer
  let betas: FloatBuffer
  /// What was read from the states. // (rows, valueWidth)
  let output: FloatBuffer
  let gated: Activations
  /// What opens the attended, and this before it. // (rows, attendedWidth)
  let attentionGate: FloatBuffer
  let attended: Activations

  init(
    _ shape: DeltaNetShape, _ configuration: DecoderConfiguration,
    precision: WeightMatrix.Precision, rows: Int
  ) throws(KernelError) {
    mixed = try FloatBuffer(rows: rows, width: shape.channels)
    convolved = try FloatBuffer(rows: rows, width: shape.channels)
    gate = try FloatBuffer(rows: rows, width: shape.valueWidth)
    decays = try FloatBuffer(rows: rows, width: shape.valueHeads)
    betas = try FloatBuffer(rows: rows, width: shape.valueHeads)
    output = try FloatBuffer(rows: rows, width: shape.valueWidth)
    gated = try Activations(maxRows: rows, width: shape.valueWidth, precision: precision)
    attentionGate = try FloatBuffer(rows: rows, width: configuration.attendedWidth)
    attended = try Activations(
      maxRows: rows, width: configuration.attendedWidth, precision: .float)
  }
}
