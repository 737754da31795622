/// Ernie 4.5, dense: Llama whose checkpoints have a rotary pair's two beside each other, as files have them.
package enum Ernie45: DecoderFamily {
  package static let architecture = "ernie4_5"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try DecoderConfiguration(ernie: metadata, vocabularySize: vocabularySize).validated()
  }
}

/// Ernie 4.5's mixtures of experts: dense layers at the start, and maybe between the others; a softmax gate with a bias
/// that only the choice sees, weights normalised to 1, and experts that every token meets.
package enum Ernie45MoE: DecoderFamily {
  package static let architecture = "ernie4_5-moe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(ernie: metadata, vocabularySize: vocabularySize)
    let sharedWidth = try metadata.optionalInt("expert_shared_feed_forward_length")
    var mixture = try metadata.laterMixture(
      probability: .softmax, normalisesWeights: true,
      sharedCount: sharedWidth == nil ? metadata.optionalInt("expert_shared_count") ?? 0 : 0)
    if let sharedWidth { mixture.sharedWidth = sharedWidth }
    mixture.layerStep = try metadata.optionalInt("interleave_moe_layer_step") ?? 1
    guard mixture.layerStep > 0 else {
      throw .invalidValue(
        key: "\(architecture).interleave_moe_layer_step", value: "\(mixture.layerStep)",
        expected: "1 or more")
    }
    configuration.mixture = mixture
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    return try DecoderLayer(
      prefix: prefix, attention: AttentionBlock(index, prefix: prefix, configuration, loader),
      feedForward: configuration.feedForward(index, prefix: prefix, loader), configuration, loader)
  }
}

extension DecoderConfiguration {
  /// What both have in common. Not validated yet.
  fileprivate init(
    ernie metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) {
    try self.init(from: metadata, vocabularySize: vocabularySize, rotaryStyle: .interleaved)
    permutesHeads = false
  }
}
