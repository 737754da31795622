/// Qwen 3: Llama with a norm on each head's query and key.
package enum Qwen3: DecoderFamily {
  package static let architecture = "qwen3"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves
    ).validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    let attention = try AttentionBlock.withHeadNorms(
      index, prefix: prefix, configuration, loader)
    return try DecoderLayer(
      prefix: prefix, attention: attention,
      feedForward: try DenseFeedForward(index, prefix: prefix, configuration, loader),
      configuration, loader)
  }
}
