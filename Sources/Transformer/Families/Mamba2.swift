/// Mamba-2 alone: neither attention nor feed-forward blocks (Codestral Mamba).
package enum Mamba2: DecoderFamily {
  package static let architecture = "mamba2"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var layer = DecoderConfiguration.Layer(rotaryBase: 10_000)
    layer.rotary.isOn = false
    layer.isRecurrent = true
    // The least of what no layer uses.
    var configuration = DecoderConfiguration(
      architecture: architecture, vocabularySize: vocabularySize,
      width: try metadata.int("embedding_length"), headCount: 1, keyValueHeadCount: 1, headDim: 8,
      feedForwardWidth: 8, contextLength: try metadata.int("context_length"),
      normEpsilon: Float(try metadata.double("attention.layer_norm_rms_epsilon")),
      rotaryStyle: .halves, activation: .silu, attentionScale: 1,
      layers: Array(repeating: layer, count: try metadata.layerCount()))
    try configuration.readMamba(metadata)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(single: index, configuration, loader)
  }
}
