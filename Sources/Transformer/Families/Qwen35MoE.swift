/// Qwen 3.5's mixtures of experts, the part that reads text: Qwen 3.5 with many small experts, and a shared one behind
/// a sigmoid of its own.
package enum Qwen35MoE: DecoderFamily {
  package static let architecture = "qwen35moe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try DecoderConfiguration(hybridMixture: metadata, vocabularySize: vocabularySize).validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(hybrid: index, configuration, loader)
  }
}
