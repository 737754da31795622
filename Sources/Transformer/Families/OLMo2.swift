/// OLMo 2 and 3: Llama whose blocks read the residual stream as it is and are normalised behind,
/// with a norm over all queries and one over all keys. Of OLMo 3's layers three of four see a window, and
/// what stretches the context holds in the others only.
package enum OLMo2: DecoderFamily {
  package static let architecture = "olmo2"

  /// Every so many layers one sees the whole context, where there is a window.
  static let slidingWindowPattern = 4

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves)
    try configuration.readWindow(metadata, pattern: slidingWindowPattern)
    let localBase = try metadata.optionalDouble("rope.freq_base_swa")
    configuration.setWindowedRotary { rotary in
      rotary.base = localBase ?? rotary.base
      rotary.isStretched = false
    }
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    let width = configuration.width
    var attention = try AttentionBlock(index, prefix: prefix, configuration, loader)
    try attention.loadNorms(
      prefix: prefix, queryCount: configuration.queryWidth, keyCount: configuration.keyValueWidth,
      loader)
    return DecoderLayer(
      attentionNorm: nil, attention: attention,
      postAttentionNorm: try loader.vector(prefix + "post_attention_norm.weight", count: width),
      feedForwardNorm: nil,
      feedForward: try DenseFeedForward(index, prefix: prefix, configuration, loader),
      postFeedForwardNorm: try loader.vector(prefix + "post_ffw_norm.weight", count: width))
  }
}
