/// The sizes of gated short convolutions (LFM2), which keep a few inputs instead of keys and values.
package struct ShortConvolutionShape: Sendable, Equatable {
  /// Width of what is convolved: that of the residual stream.
  package var channels: Int
  /// Tokens that the convolution sees, the own one included.
  package var taps: Int

  /// The first size that can't be run: its key, its value and what was expected.
  var problem: (key: String, value: String, expected: String)? {
    // With one tap alone there would be nothing to keep.
    guard (2...ShortConvolution.tapLimit).contains(taps) else {
      return ("shortconv.l_cache", "\(taps)", "2 to \(ShortConvolution.tapLimit)")
    }
    guard channels.isMultiple(of: ShortConvolution.channelMultiple) else {
      return (
        "embedding_length", "\(channels)", "a multiple of \(ShortConvolution.channelMultiple)"
      )
    }
    return nil
  }
}

extension ShortConvolutionShape: RecurrentLayerShape {
  var stateCount: Int { 0 }
  /// // (taps - 1, channels)
  var historyCount: Int { (taps - 1) * channels }
}
