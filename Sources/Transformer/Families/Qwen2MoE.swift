/// Qwen1.5-MoE and Qwen2-MoE: Llama with biases on queries, keys and values, many small experts
/// with their softmax weights as they are, and a shared expert behind a sigmoid of its own.
package enum Qwen2MoE: DecoderFamily {
  package static let architecture = "qwen2moe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves)
    let inner = configuration.feedForwardWidth
    configuration.mixture = try metadata.mixture(
      expertWidth: inner / max(metadata.int("expert_used_count"), 1), sharedWidth: inner,
      normalisesWeights: false)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    let attention = try AttentionBlock(index, prefix: prefix, configuration, loader)
    return try DecoderLayer(
      prefix: prefix, attention: attention,
      feedForward: try MixtureFeedForward(index, prefix: prefix, configuration, loader),
      configuration, loader)
  }
}
