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
    if let scale = try metadata.optionalDouble("attention.scale"), scale != 0 {
      configuration.attentionScale = Float(scale)
    }
    if let scale = try metadata.optionalDouble("embedding_scale"), scale != 0 {
      configuration.embeddingScale = Float(scale)
    }
    if let scale = try metadata.optionalDouble("residual_scale"), scale != 0 {
      configuration.residualScale = Float(scale)
    }
    // The file has what logits are divided by.
    configuration.logitScale = Float(1 / (try metadata.double("logit_scale")))
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
