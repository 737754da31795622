/// OLMoE: Llama with experts, of which a token gets the best few with their softmax weights as they
/// are. Queries and keys are normalised over all heads together.
///
/// GGUF keeps nothing of the checkpoint's `norm_topk_prob`, which is false in all that were
/// published, and of `clip_qkv`, which is not set in them.
package enum OLMoE: DecoderFamily {
  package static let architecture = "olmoe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves)
    configuration.mixture = try metadata.mixture(
      expertWidth: configuration.feedForwardWidth, normalisesWeights: false)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    var attention = try AttentionBlock(index, prefix: prefix, configuration, loader)
    try attention.loadNorms(
      prefix: prefix, queryCount: configuration.queryWidth, keyCount: configuration.keyValueWidth,
      loader)
    return try DecoderLayer(
      prefix: prefix, attention: attention,
      feedForward: try MixtureFeedForward(index, prefix: prefix, configuration, loader),
      configuration, loader)
  }
}
