import ModelFiles

/// A family of decoders: how its file's metadata and tensors become a configuration and layers.
///
/// Adding a family is one type of this protocol and its line in `DecoderRegistry`.
package protocol DecoderFamily {
  /// The value of `general.architecture`.
  static var architecture: String { get }
  /// GGUF's name of the norm behind the last layer; `output_norm`, where the family does not say otherwise.
  static var outputNorm: String { get }

  /// The sizes and choices that the metadata state.
  /// - Parameter vocabularySize: Rows of the token embedding, which is the only reliable source.
  static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration

  /// Loads one layer; as Llama's dense ones are, where the family does not say otherwise.
  static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer
}

extension DecoderFamily {
  package static var outputNorm: String { "output_norm" }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    return try DecoderLayer(
      prefix: prefix, attention: try AttentionBlock(index, prefix: prefix, configuration, loader),
      feedForward: try DenseFeedForward(index, prefix: prefix, configuration, loader),
      configuration, loader)
  }
}
