/// The sizes of gated short convolutions (LFM2), which keep a few inputs instead of keys and values.
package struct ShortConvolutionShape: Sendable, Equatable {
  /// Width of what is convolved: that of the residual stream.
  package var channels: Int
  /// Tokens that the convolution sees, the own one included.
  package var taps: Int

  /// Floats of the inputs that the convolution will see again. // (taps - 1, channels)
  var historyCount: Int { (taps - 1) * channels }

  /// What `taps` may be: with one alone there would be nothing to keep.
  static let tapRange = 2...DeltaNetShape.tapLimit
}
