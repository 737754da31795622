/// GLM-4-0414 and GLM-Z1: Llama with a norm behind each block too, biases on queries, keys and values, the
/// feed-forward gate and up in one tensor, and a part of each head rotated, neighbours as pairs.
package enum GLM4: DecoderFamily {
  package static let architecture = "glm4"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .interleaved,
      rotatesParts: true)
    // The checkpoint's own pairs are neighbours, so that nothing was put in another order.
    configuration.permutesHeads = false
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(
      sandwiching: AttentionBlock(index, prefix: "blk.\(index).", configuration, loader), index,
      configuration, loader)
  }
}
