/// Gemma 2.
///
/// Against Gemma 3: no norms on queries and keys, every other layer sees a window, all rotate with one
/// base, and scores and logits are bent into a range by a tanh.
package enum Gemma2: DecoderFamily {
  package static let architecture = "gemma2"

  /// Every so many layers one sees the whole context.
  static let slidingWindowPattern = 2
  /// Layers of the 27B model, which scales scores by the width a head would have if the heads shared the
  /// residual stream's. GGUF files say no scale.
  static let layersOf27B = 46

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    var configuration = try DecoderConfiguration(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves)
    configuration.activation = .geluTanh
    configuration.embeddingScale = Float(max(configuration.width, 1)).squareRoot()
    if configuration.layers.count == layersOf27B {
      configuration.attentionScale = configuration.scaleOfEqualHeads
    }
    if let scale = try metadata.optionalDouble("attention.scale"), scale != 0 {
      configuration.attentionScale = Float(scale)
    }
    try configuration.readWindow(metadata, pattern: slidingWindowPattern)
    configuration.attentionSoftcap = Float(
      try metadata.optionalDouble("attn_logit_softcapping") ?? 50)
    configuration.logitSoftcap = Float(
      try metadata.optionalDouble("final_logit_softcapping") ?? 30)
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

extension DecoderConfiguration {
  /// The scale of scores if the heads had equal shares of the residual stream (Gemma's 27B models).
  var scaleOfEqualHeads: Float { 1 / Float(max(width / max(headCount, 1), 1)).squareRoot() }
}
