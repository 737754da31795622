/// Qwen3-VL, the part that reads text: Qwen 3, whose rotary positions have axes, and whose first layers are given more of
/// an image (DeepStack, arXiv 2406.04334).
package enum Qwen3VL: DecoderFamily {
  package static let architecture = "qwen3vl"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try Qwen3.configuration(from: metadata, vocabularySize: vocabularySize)
    try configuration.readImageRows(metadata)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try Qwen3.layer(index, configuration: configuration, loader: loader)
  }
}

/// The same with Qwen3-MoE's experts.
package enum Qwen3VLMoE: DecoderFamily {
  package static let architecture = "qwen3vlmoe"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try Qwen3MoE.configuration(from: metadata, vocabularySize: vocabularySize)
    try configuration.readImageRows(metadata)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try Qwen3MoE.layer(index, configuration: configuration, loader: loader)
  }
}

extension DecoderConfiguration {
  /// Reads how images' rows are placed, and how many layers are given more of them.
  fileprivate mutating func readImageRows(_ metadata: ArchitectureMetadata) throws(ModelError) {
    rotaryAxes = try interleavedAxes(metadata)
    deepRows = try metadata.optionalInt("n_deepstack_layers") ?? 0
  }
}
