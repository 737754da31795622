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
  /// The convolution's weights, those of the oldest input first. // (taps, channels)
  private let taps: FloatBuffer

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
    guard !loader.contains(prefix + "shortconv.conv.bias") else {
      throw .unsupported(key: prefix + "shortconv.conv.bias", value: "present")
    }
    taps = try loader.taps(
      prefix + "shortconv.conv.weight", channels: shape.channels, taps: shape.taps)
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
    let mine = worker.range(of: shape.channels, multipleOf: 16)
    if !mine.isEmpty {
      for segment in 0..<pass.segmentCount {
        convolve(
          buffers.mixed, pass.rows(ofSequence: segment),
          history: pass.recurrentState(segment: segment).history(index), mine)
      }
    }
    worker.barrier()
    buffers.output.take(
      buffers.mixed.pointer + 2 * shape.channels, stride: buffers.mixed.width, rows: 0..<rows,
      worker: worker)
    worker.barrier()
    output.apply(
      buffers.output, rows: rows, into: destination, stride: output.matrix.outputs,
      accumulate: accumulate, worker: worker)
  }

  /// Convolves some channels over a sequence's tokens, and keeps their last inputs for the next pass.
  private func convolve(
    _ mixed: FloatBuffer, _ rows: (first: Int, count: Int),
    history: UnsafeMutablePointer<Float>, _ channels: Range<Int>
  ) {
    let (width, count, first) = (shape.channels, channels.count, channels.lowerBound)
    let kept = shape.taps - 1
    func input(_ token: Int) -> UnsafeMutablePointer<Float> {
      token >= 0
        ? mixed.row(rows.first + token) + first : history + (kept + token) * width + first
    }
    for token in 0..<rows.count {
      let opened = input(token)
      let result = opened + 2 * width
      for channel in 0..<count { opened[channel] *= result[channel] }
      let weights = taps.row(kept) + first
      for channel in 0..<count { result[channel] = opened[channel] * weights[channel] }
      for tap in 0..<kept {
        let (seen, weights) = (input(token - kept + tap), taps.row(tap) + first)
        for channel in 0..<count { result[channel] += seen[channel] * weights[channel] }
      }
      let gate = opened + width
      for channel in 0..<count { result[channel] *= gate[channel] }
    }
    // From the oldest on: where a pass is short, what moves is not yet overwritten.
    for place in 0..<kept {
      (history + place * width + first).update(
        from: input(rows.count - kept + place), count: count)
    }
  }
}
