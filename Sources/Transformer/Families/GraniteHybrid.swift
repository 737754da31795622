/// Granite 4: Mamba-2 layers and here and there one of attention, which knows no positions, or attention alone, which
/// does; then a dense block (h-micro, h-1b, h-350m), or experts and a shared one (h-tiny, h-small). With Granite's factors.
package enum GraniteHybrid: DecoderFamily {
  package static let architecture = "granitehybrid"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      listingHeads: metadata, vocabularySize: vocabularySize, rotaryStyle: .interleaved)
    try configuration.readMamba(metadata)
    let rotates = try metadata.optionalBool("rope.scaling.finetuned") ?? true
    for index in configuration.layers.indices {
      configuration.layers[index].rotary.isOn = rotates
    }
    let sharedWidth = try metadata.optionalInt("expert_shared_feed_forward_length") ?? 0
    if try metadata.optionalInt("expert_count") ?? 0 != 0 {
      configuration.mixture = try metadata.mixture(
        expertWidth: configuration.feedForwardWidth, normalisesWeights: true)
    } else if sharedWidth != 0 {
      // What a model without experts has is the block that every token passes through.
      configuration.feedForwardWidth = sharedWidth
    }
    try configuration.readGraniteFactors(metadata)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    return try DecoderLayer(
      prefix: prefix, attention: configuration.mixer(index, prefix: prefix, loader),
      feedForward: configuration.feedForward(index, prefix: prefix, loader), configuration, loader)
  }
}
