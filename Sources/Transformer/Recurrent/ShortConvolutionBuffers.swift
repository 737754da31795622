import Kernels

/// The buffers of a pass that only gated short convolutions need.
struct ShortConvolutionBuffers: Sendable {
  /// What opens the input of the convolution, what opens its output, and the input, side by side; in the end the
  /// opened input is in the first part, and the opened output in the last. // (rows, 3 * channels)
  let mixed: FloatBuffer
  /// The opened output. // (rows, channels)
  let output: Activations

  init(
    _ shape: ShortConvolutionShape, precision: WeightMatrix.Precision, rows: Int
  ) throws(KernelError) {
    mixed = try FloatBuffer(rows: rows, width: 3 * shape.channels)
    output = try Activations(maxRows: rows, width: shape.channels, precision: precision)
  }
}
