/// LFM2's mixtures of experts: some dense layers at the start, then experts that a sigmoid gate chooses with a bias that
/// only the choice sees, their weights normalised to 1.
package enum LFM2MoE: DecoderFamily {
  package static let architecture = "lfm2moe"
  package static let outputNorm = LFM2.outputNorm

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      shortConvolutions: metadata, vocabularySize: vocabularySize)
    configuration.mixture = try metadata.laterMixture(
      probability: .sigmoid, normalisesWeights: true, sharedCount: 0)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(shortConvolutions: index, configuration, loader)
  }
}
