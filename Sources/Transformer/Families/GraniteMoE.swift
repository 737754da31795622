/// Granite 3 MoE, with or without a shared expert: Llama with experts, and factors of its own on
/// embeddings, attention, what blocks add to the residual stream, and logits.
package enum GraniteMoE: DecoderFamily {
  package static let architecture = "granitemoe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .interleaved)
    configuration.mixture = try metadata.mixture(
      expertWidth: configuration.feedForwardWidth, normalisesWeights: true)
    try configuration.readGraniteFactors(metadata)
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
