/// GLM-4.5 and 4.6, Air or not: DeepSeek-V3's mixtures behind some dense layers, with grouped queries, a part of each head
/// rotated, biases on queries, keys and values, and in the large ones a norm on each head's query and key.
package enum GLM4MoE: DecoderFamily {
  package static let architecture = "glm4moe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves, rotatesParts: true)
    try configuration.dropGuessingLayers(metadata)
    configuration.mixture = try metadata.laterMixture(
      probability: .sigmoid, normalisesWeights: true,
      sharedCount: metadata.optionalInt("expert_shared_count") ?? 0)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    let attention =
      loader.contains(prefix + "attn_q_norm.weight")
      ? try AttentionBlock.withHeadNorms(index, prefix: prefix, configuration, loader)
      : try AttentionBlock(index, prefix: prefix, configuration, loader)
    return try DecoderLayer(
      prefix: prefix, attention: attention,
      feedForward: configuration.feedForward(index, prefix: prefix, loader),
      feedForwardNorm: "post_attention_norm", configuration, loader)
  }
}
