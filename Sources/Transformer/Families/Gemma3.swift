/// Gemma 3, text only.
///
/// Against Llama: embeddings are scaled by the root of the width, queries and keys are normalised
/// a head, each block is normalised before and after, the feed-forward gate is a GELU, and five
/// layers of six see a sliding window only and rotate with a base of their own. GGUF files hold
/// norm weights with Gemma's "+ 1" already added.
package enum Gemma3: DecoderFamily {
  package static let architecture = "gemma3"

  /// Every so many layers one sees the whole context.
  static let slidingWindowPattern = 6
  /// Rotary base of the layers with a sliding window.
  static let localRotaryBase = 10_000.0
  /// Layers of the 27B model, which scales scores as Gemma 2's does. GGUF files say no scale.
  static let layersOf27B = 62

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    let width = try metadata.int("embedding_length")
    let headDim = try metadata.int("attention.key_length")
    let layerCount = try metadata.int("block_count")
    guard (1...DecoderConfiguration.Limit.layerCount).contains(layerCount) else {
      throw .invalidValue(
        key: "gemma3.block_count", value: "\(layerCount)",
        expected: "1 to \(DecoderConfiguration.Limit.layerCount)")
    }
    if let valueDim = try metadata.optionalInt("attention.value_length"), valueDim != headDim {
      throw .unsupported(key: "gemma3.attention.value_length", value: "\(valueDim)")
    }
    try metadata.requireFullRotation(headDim: headDim)
    let globalBase = try metadata.optionalDouble("rope.freq_base") ?? 1_000_000
    let localBase = try metadata.optionalDouble("rope.freq_base_swa") ?? localRotaryBase
    var configuration = DecoderConfiguration(
      architecture: architecture,
      vocabularySize: vocabularySize,
      width: width,
      headCount: try metadata.int("attention.head_count"),
      keyValueHeadCount: try metadata.int("attention.head_count_kv"),
      headDim: headDim,
      feedForwardWidth: try metadata.int("feed_forward_length"),
      contextLength: try metadata.int("context_length"),
      normEpsilon: Float(try metadata.double("attention.layer_norm_rms_epsilon")),
      rotaryStyle: .halves,
      activation: .geluTanh,
      attentionScale: 1 / Float(max(headDim, 1)).squareRoot(),
      layers: Array(repeating: .init(rotaryBase: globalBase), count: layerCount))
    try metadata.readRotaryScaling(into: &configuration, truncates: true)
    try configuration.readWindow(metadata, pattern: slidingWindowPattern)
    configuration.setWindowedRotary { rotary in
      rotary.base = localBase
      // The window needs no stretching.
      rotary.isStretched = false
    }
    if let cap = try metadata.optionalDouble("final_logit_softcapping"), cap != 0 {
      configuration.logitSoftcap = Float(cap)
    }
    if layerCount == layersOf27B {
      configuration.attentionScale = configuration.scaleOfEqualHeads
    }
    if let scale = try metadata.optionalDouble("attention.scale"), scale != 0 {
      configuration.attentionScale = Float(scale)
    }
    configuration.embeddingScale = Float(max(width, 1)).squareRoot()
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    try DecoderLayer(
      sandwiching: AttentionBlock.withHeadNorms(
        index, prefix: "blk.\(index).", configuration, loader), index,
      configuration, loader)
  }
}
