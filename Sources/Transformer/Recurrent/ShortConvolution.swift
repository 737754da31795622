import Kernels

/// A causal convolution of each channel over a sequence's last tokens, as a rule with SiLU behind it. The sequence's
/// state keeps the inputs that it will see again.
struct ShortConvolution: Sendable {
  private let taps: Int
  private let channels: Int
  private let hasSiLU: Bool
  /// Weights, those of the oldest input first; behind them the bias, as the weights of an input that is always 1.
  /// // (taps, or taps + 1, channels)
  private let weights: FloatBuffer
  /// That input; nil without a bias. // (channels)
  private let ones: FloatBuffer?

  static let tapLimit = 1 << 6
  /// Channels come in runs of so many.
  static let channelMultiple = 16

  /// Reads `prefix.weight` // (channels, taps) and, where there is one, `prefix.bias` // (channels).
  init(
    _ prefix: String, channels: Int, taps: Int, hasSiLU: Bool = true, _ loader: WeightLoader
  ) throws(ModelError) {
    self.taps = taps
    self.channels = channels
    self.hasSiLU = hasSiLU
    let name = prefix + ".weight"
    let columns = try loader.floatMatrix(name, rows: channels, width: taps)
    let bias = try loader.optionalFloats(prefix + ".bias", count: channels)
    do {
      weights = try FloatBuffer(rows: taps + (bias == nil ? 0 : 1), width: channels)
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
    for channel in 0..<channels {
      for tap in 0..<taps { weights[tap, channel] = columns[channel, tap] }
    }
    for (channel, value) in (bias ?? []).enumerated() { weights[taps, channel] = value }
    ones = bias == nil ? nil : try loader.ones(count: channels)
  }

  /// Convolves some channels over each sequence's tokens, and keeps their last inputs for the next pass.
  /// // source: (rows, channels or more), output: (rows, channels)
  /// - Parameters:
  ///   - index: The layer among those that keep a state.
  ///   - mine: This worker's, a multiple of `channelMultiple` of them.
  func apply(
    _ index: Int, _ pass: DecoderPass, from source: FloatBuffer, to output: FloatBuffer,
    channels mine: Range<Int>
  ) {
    guard !mine.isEmpty else { return }
    let kept = taps - 1
    for segment in 0..<pass.segmentCount {
      let (first, count) = pass.rows(ofSequence: segment)
      let history = pass.recurrentState(segment: segment).history(index)
      func input(_ token: Int) -> UnsafeMutablePointer<Float> {
        token >= 0 ? source.row(first + token) : history + (kept + token) * channels
      }
      withUnsafeTemporaryAllocation(
        of: UnsafePointer<Float>?.self, capacity: weights.rows
      ) { seen in
        if let ones { seen.initializeElement(at: taps, to: UnsafePointer(ones.pointer)) }
        for token in 0..<count {
          for tap in 0...kept {
            seen.initializeElement(
              at: tap, to: UnsafePointer(input(token - kept + tap) + mine.lowerBound))
          }
          DeltaRule.convolve(
            UnsafeBufferPointer(seen), weights: weights.pointer + mine.lowerBound,
            weightStride: channels, count: mine.count, hasSiLU: hasSiLU,
            into: output.row(first + token) + mine.lowerBound)
        }
      }
      // From the oldest on: where a pass is short, what moves is not yet overwritten.
      for place in 0..<kept {
        (history + place * channels + mine.lowerBound).update(
          from: input(count - kept + place) + mine.lowerBound, count: mine.count)
      }
    }
  }
}
