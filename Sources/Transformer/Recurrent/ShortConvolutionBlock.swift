import Kernels

/// A gated short convolution (LFM2): each channel is a sum of its last few inputs, opened by a gate before and by another
/// behind.
///
/// Source: `Lfm2ShortConv` of transformers.
package struct ShortConvolutionBlock: SelfAttention {
  /// The layer among those that keep a state.
  private let index: Int
  private let shape: ShortConvolutionShape
  private let mixed: Projection  // (3 * channels, width)
  private let output: Projection  // (width, channels)
  private let convolution: ShortConvolution

  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration,
    _ shape: ShortConvolutionShape, _ loader: WeightLoader
  ) throws(ModelError) {
    index = configuration.layers.prefix(layer).count { $0.isRecurrent }
    self.shape = shape
    mixed = try loader.projection(
      prefix + "shortconv.in_proj", outputs: 3 * shape.channels, inputs: configuration.width)
    output = try loader.projection(
      prefix + "shortconv.out_proj", outputs: configuration.width, inputs: shape.channels)
    convolution = try ShortConvolution(
      prefix + "shortconv.conv", channels: shape.channels, taps: shape.taps, hasSiLU: false, loader)
  }

  package var byteCount: Int { mixed.matrix.byteCount + output.matrix.byteCount }

  package func apply(
    _ pass: DecoderPass, output destination: UnsafeMutablePointer<Float>, accumulate: Bool,
    worker: Worker
  ) {
    guard let buffers = pass.shortConvolution else { return }
    let rows = pass.rowCount
    mixed.apply(
      pass.normed, rows: rows, into: buffers.mixed.pointer, stride: buffers.mixed.width,
      worker: worker)
    worker.barrier()
    convolve(pass, buffers, worker: worker)
    worker.barrier()
    buffers.output.take(
      buffers.convolved.pointer, stride: shape.channels, rows: 0..<rows, worker: worker)
    worker.barrier()
    output.apply(
      buffers.output, rows: rows, into: destination, stride: output.matrix.outputs,
      accumulate: accumulate, worker: worker)
  }

  /// Opens this worker's channels, convolves them and opens what comes of it.
  private func convolve(
    _ pass: DecoderPass, _ buffers: ShortConvolutionBuffers, worker: Worker
  ) {
    let mine = worker.range(of: shape.channels, multipleOf: ShortConvolution.channelMultiple)
    for row in 0..<pass.rowCount {
      let opened = buffers.mixed.row(row)
      let input = opened + 2 * shape.channels
      for channel in mine { opened[channel] *= input[channel] }
    }
    convolution.apply(index, pass, from: buffers.mixed, to: buffers.convolved, channels: mine)
    for row in 0..<pass.rowCount {
      let (result, gate) = (buffers.convolved.row(row), buffers.mixed.row(row) + shape.channels)
      for channel in mine { result[channel] *= gate[channel] }
    }
  }
}
