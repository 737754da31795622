import Kernels

/// The buffers of a pass that only gated short convolutions need.
struct ShortConvolutionBuffers: Sendable {
  /// What opens the input of the convolution (and becomes the opened input), what opens its output, and the input, side
  /// by side. // (rows, 3 * channels)
  let mixed: FloatBuffer
  /// What the convolution gives, then opened. // (rows, channels)
  let convolved: FloatBuffer
  /// The same as the output projection takes it. // (rows, channels)
  let output: Activations

  init(
    _ shape: ShortConvolutionShape, precision: WeightMatrix.Precision, rows: Int
  ) throws(KernelError) {
    mixed = try FloatBuffer(rows: rows, width: 3 * shape.channels)
    convolved = try FloatBuffer(rows: rows, width: shape.channels)
    output = try Activations(maxRows: rows, width: shape.channels, precision: precision)
  }
}
