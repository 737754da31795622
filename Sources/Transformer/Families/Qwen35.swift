/// Qwen 3.5, dense, the part that reads text: delta nets, which keep a state, and gated attention.
package enum Qwen35: DecoderFamily {
  package static let architecture = "qwen35"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try DecoderConfiguration(hybrid: metadata, vocabularySize: vocabularySize).validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(hybrid: index, configuration, loader)
  }
}
