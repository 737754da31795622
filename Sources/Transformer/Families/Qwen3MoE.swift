/// Qwen3-MoE: Llama with a norm on each head's query and key, and many small experts whose chosen
/// weights are normalised to 1.
package enum Qwen3MoE: DecoderFamily {
  package static let architecture = "qwen3moe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves)
    let inner = configuration.feedForwardWidth
    configuration.mixture = try metadata.mixture(
      expertWidth: inner / max(metadata.int("expert_used_count"), 1), normalisesWeights: true)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    let attention = try AttentionBlock.withHeadNorms(
      index, prefix: prefix, configuration, loader)
    return try DecoderLayer(
      prefix: prefix, attention: attention,
      feedForward: try MixtureFeedForward(index, prefix: prefix, configuration, loader),
      configuration, loader)
  }
}
