import Kernels

/// The buffers of a pass that only Mamba-2 layers need.
struct MambaBuffers: Sendable {
  /// What opens the output. // (rows, valueWidth)
  let gate: FloatBuffer
  /// Values, input and output maps before the convolution, and behind it. // (rows, channels)
  let mixed: FloatBuffer
  let convolved: FloatBuffer
  /// A step a head, first the product for it, and the decay that comes of it. // (rows, heads)
  let steps: FloatBuffer
  let decays: FloatBuffer
  /// What was read from the states. // (rows, valueWidth)
  let output: FloatBuffer
  let gated: Activations

  init(
    _ shape: MambaShape, precision: WeightMatrix.Precision, rows: Int
  ) throws(KernelError) {
    gate = try FloatBuffer(rows: rows, width: shape.valueWidth)
    mixed = try FloatBuffer(rows: rows, width: shape.channels)
    convolved = try FloatBuffer(rows: rows, width: shape.channels)
    steps = try FloatBuffer(rows: rows, width: shape.heads)
    decays = try FloatBuffer(rows: rows, width: shape.heads)
    output = try FloatBuffer(rows: rows, width: shape.valueWidth)
    gated = try Activations(maxRows: rows, width: shape.valueWidth, precision: precision)
  }
}
