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
    let width = configuration.width
    var attention = try AttentionBlock(index, prefix: prefix, configuration, loader)
    attention.queryNorm = try loader.vector(
      prefix + "attn_q_norm.weight", count: configuration.queryWidth)
    attention.keyNorm = try loader.vector(
      prefix + "attn_k_norm.weight", count: configuration.keyValueWidth)
    return DecoderLayer(
      attentionNorm: try loader.vector(prefix + "attn_norm.weight", count: width),
      attention: attention,
      feedForwardNorm: try loader.vector(prefix + "ffn_norm.weight", count: width),
      feedForward: try MixtureFeedForward(
        index, prefix: prefix, configuration, loader))
  }
}
