/// Qwen3-Next: what Qwen 3.5's mixtures were made of, with the delta nets' tensors in another order.
package enum Qwen3Next: DecoderFamily {
  package static let architecture = "qwen3next"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try DecoderConfiguration(
      hybridMixture: metadata, vocabularySize: vocabularySize, groupsHeads: true
    ).validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(hybrid: index, configuration, loader)
  }
}
