/// Qwen 3.5 with a mixture of experts (35B-A3B and larger): its layers, with many small experts whose chosen
/// weights are normalised to 1, and a shared one behind a sigmoid of its own, in place of the dense blocks.
package enum Qwen35MoE: DecoderFamily {
  package static let architecture = "qwen35moe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try Qwen35.layers(from: metadata, vocabularySize: vocabularySize)
    configuration.mixture = try metadata.mixture(
      expertWidth: configuration.feedForwardWidth, sharedWidth: configuration.feedForwardWidth,
      normalisesWeights: true)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    return try DecoderLayer(
      prefix: prefix, attention: configuration.hybridAttention(index, prefix: prefix, loader),
      feedForward: try MixtureFeedForward(index, prefix: prefix, configuration, loader),
      feedForwardNorm: "post_attention_norm", configuration, loader)
  }
}
