/// Qwen 3.5, dense, the part that reads text: of every four layers three are gated delta nets, which keep a state, and
/// one is attention, whose heads are rotated in part and gated.
package enum Qwen35: DecoderFamily {
  package static let architecture = "qwen35"

  /// Every so many layers one is attention, where the file doesn't say.
  static let attentionInterval = 4

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    try layers(from: metadata, vocabularySize: vocabularySize).validated()
  }

  /// What the layers are but for their feed-forward blocks, which in larger models are mixtures.
  static func layers(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves, rotatesParts: true)
    // What guesses several tokens ahead stands behind the layers, and isn't run.
    let guessing = try metadata.optionalInt("nextn_predict_layers") ?? 0
    guard (0..<configuration.layers.count).contains(guessing) else {
      throw .invalidValue(
        key: "\(metadata.architecture).nextn_predict_layers", value: "\(guessing)",
        expected: "fewer than block_count \(configuration.layers.count)")
    }
    configuration.layers.removeLast(guessing)
    try configuration.readDeltaNet(metadata, attentionInterval: attentionInterval)
    return configuration
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    return try DecoderLayer(
      prefix: prefix, attention: configuration.hybridAttention(index, prefix: prefix, loader),
      feedForward: try DenseFeedForward(index, prefix: prefix, configuration, loader),
      feedForwardNorm: "post_attention_norm", configuration, loader)
  }
}
