/// LFM2: gated short convolutions, and attention in a few of the layers.
package enum LFM2: DecoderFamily {
  package static let architecture = "lfm2"
  /// What its files call the norm behind the last layer.
  package static let outputNorm = "token_embd_norm"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try DecoderConfiguration(
      shortConvolutions: metadata, vocabularySize: vocabularySize
    ).validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(shortConvolutions: index, configuration, loader)
  }
}
