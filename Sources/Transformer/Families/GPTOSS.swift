import Kernels

/// gpt-oss.
///
/// Against Llama: biases everywhere, heads wider than the residual stream's share, every other
/// layer sees a sliding window only, a learned score in each head's softmax that takes part without
/// a value (a sink), YaRN, and experts with a clamped activation whose weights are MXFP4 and whose
/// gate takes the softmax over the kept ones.
package enum GPTOSS: DecoderFamily {
  package static let architecture = "gpt-oss"

  /// Every so many layers one sees the whole context.
  static let slidingWindowPattern = 2

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    let sizes = try metadata.sizes()
    let base = try metadata.optionalDouble("rope.freq_base") ?? 150_000
    let localBase = try metadata.optionalDouble("rope.freq_base_swa") ?? base
    var configuration = DecoderConfiguration(
      architecture: architecture,
      vocabularySize: vocabularySize,
      width: sizes.width,
      headCount: sizes.headCount,
      keyValueHeadCount: sizes.keyValueHeadCount,
      headDim: sizes.headDim,
      feedForwardWidth: sizes.feedForwardWidth,
      contextLength: try metadata.int("context_length"),
      normEpsilon: Float(try metadata.double("attention.layer_norm_rms_epsilon")),
      rotaryStyle: .halves,
      activation: .clampedSwiGLU,
      attentionScale: 1 / Float(max(sizes.headDim, 1)).squareRoot(),
      layers: Array(repeating: .init(rotaryBase: base), count: sizes.layerCount))
    try configuration.readWindow(metadata, pattern: slidingWindowPattern)
    configuration.setWindowedRotary { $0.base = localBase }
    try metadata.readRotaryScaling(into: &configuration, truncates: false)
    configuration.mixture = try metadata.mixture(
      expertWidth: configuration.feedForwardWidth, normalisesWeights: false)
    configuration.mixture?.probability = .none
    configuration.mixture?.weighting = .softmaxOverKept
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    var attention = try AttentionBlock(index, prefix: prefix, configuration, loader)
    attention.sinks = try loader.finiteVector(
      prefix + "attn_sinks.weight", count: configuration.headCount)
    return try DecoderLayer(
      prefix: prefix, attention: attention,
      feedForward: try MixtureFeedForward(index, prefix: prefix, configuration, loader),
      feedForwardNorm: "post_attention_norm", configuration, loader)
  }
}
