/// Llama and what shares its architecture (SmolLM2, Mistral, TinyLlama, Mixtral).
///
/// Pre-norm, rotary embeddings, grouped queries, SiLU-gated feed-forward. GGUF files hold the query
/// and key weights permuted so that a rotary pair's elements are neighbours.
package enum Llama: DecoderFamily {
  package static let architecture = "llama"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    let width = try metadata.int("embedding_length")
    let headCount = try metadata.int("attention.head_count")
    let layerCount = try metadata.int("block_count")
    guard headCount > 0, (1...DecoderConfiguration.Limit.layerCount).contains(layerCount) else {
      throw .invalidValue(
        key: headCount > 0 ? "llama.block_count" : "llama.attention.head_count",
        value: "\(headCount > 0 ? layerCount : headCount)", expected: "a sensible positive number")
    }
    let headDim = try metadata.optionalInt("attention.key_length") ?? width / headCount
    try metadata.requireFullRotation(headDim: headDim)
    var configuration = DecoderConfiguration(
      architecture: architecture,
      vocabularySize: vocabularySize,
      width: width,
      headCount: headCount,
      keyValueHeadCount: try metadata.optionalInt("attention.head_count_kv") ?? headCount,
      headDim: headDim,
      feedForwardWidth: try metadata.int("feed_forward_length"),
      contextLength: try metadata.int("context_length"),
      normEpsilon: Float(try metadata.double("attention.layer_norm_rms_epsilon")),
      rotaryStyle: .interleaved,
      activation: .silu,
      attentionScale: 1 / Float(max(headDim, 1)).squareRoot(),
      layers: Array(
        repeating: .init(rotaryBase: try metadata.optionalDouble("rope.freq_base") ?? 10_000),
        count: layerCount))
    try metadata.readRotaryScaling(into: &configuration, truncates: true)
    configuration.mixture = try mixture(from: metadata, configuration)
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    return try DecoderLayer(
      prefix: prefix, attention: try AttentionBlock(index, prefix: prefix, configuration, loader),
      feedForward: try configuration.feedForward(index, prefix: prefix, loader), configuration,
      loader)
  }
}
