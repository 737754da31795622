import Kernels

/// DeepSeek-V2, V2-Lite and V3: latent attention, some dense layers at the start, then experts with
/// shared ones beside them.
///
/// V2's gate is a softmax, V3's a sigmoid with a bias that only selection sees; both may look at
/// the best groups of experts only, which V2 ranks by their best expert and V3 by their two best.
package enum DeepSeek2: DecoderFamily {
  package static let architecture = "deepseek2"

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    let headCount = try metadata.int("attention.head_count")
    let layerCount = try metadata.int("block_count")
    guard (1...DecoderConfiguration.Limit.layerCount).contains(layerCount) else {
      throw .invalidValue(
        key: "deepseek2.block_count", value: "\(layerCount)",
        expected: "1 to \(DecoderConfiguration.Limit.layerCount)")
    }
    // Files since 2025 give the sizes of attention in the latent as key and value length.
    var headDim = try metadata.optionalInt("attention.key_length_mla")
    if headDim == nil { headDim = try metadata.int("attention.key_length") }
    var valueDim = try metadata.optionalInt("attention.value_length_mla")
    if valueDim == nil { valueDim = try metadata.int("attention.value_length") }
    let rotatedDim = try metadata.int("rope.dimension_count")
    guard let headDim, let valueDim, (1..<DecoderConfiguration.Limit.headDim).contains(headDim),
      rotatedDim > 0, rotatedDim < headDim
    else {
      throw .invalidValue(
        key: "deepseek2.rope.dimension_count", value: "\(rotatedDim)",
        expected: "less than the key length \(headDim ?? 0)")
    }
    var configuration = DecoderConfiguration(
      architecture: architecture,
      vocabularySize: vocabularySize,
      width: try metadata.int("embedding_length"),
      headCount: headCount,
      // Every head has a key and value of its own once they are expanded.
      keyValueHeadCount: headCount,
      headDim: headDim,
      feedForwardWidth: try metadata.int("feed_forward_length"),
      contextLength: try metadata.int("context_length"),
      normEpsilon: Float(try metadata.double("attention.layer_norm_rms_epsilon")),
      rotaryStyle: .interleaved,
      activation: .silu,
      attentionScale: 1 / Float(headDim).squareRoot(),
      layers: Array(
        repeating: .init(rotaryBase: try metadata.optionalDouble("rope.freq_base") ?? 10_000),
        count: layerCount))
    configuration.valueDim = valueDim
    configuration.rotatedDim = rotatedDim
    let queryRank = try metadata.optionalInt("attention.q_lora_rank") ?? 0
    configuration.latent = LatentShape(
      queryRank: queryRank == 0 ? nil : queryRank,
      keyValueRank: try metadata.int("attention.kv_lora_rank"),
      plainDim: headDim - rotatedDim, rotatedDim: rotatedDim)
    try readRotaryScaling(metadata, into: &configuration)
    if try metadata.optionalInt("expert_count") ?? 0 > 0 {
      configuration.mixture = try metadata.laterMixture(
        probability: .softmax, normalisesWeights: false,
        sharedCount: metadata.int("expert_shared_count"))
    }
    return try configuration.validated()
  }

  /// YaRN, as these models have it: what stretching does to the size of scores goes into their
  /// scale, and the rotated numbers keep theirs.
  private static func readRotaryScaling(
    _ metadata: ArchitectureMetadata, into configuration: inout DecoderConfiguration
  ) throws(ModelError) {
    try metadata.readRotaryScaling(into: &configuration, truncates: true)
    guard let yarn = configuration.yarn,
      let logarithm = try metadata.optionalDouble("rope.scaling.yarn_log_multiplier"),
      logarithm != 0
    else { return }
    // The converter writes a tenth of `mscale_all_dim`.
    let scale = YaRNScaling.magnitude(factor: yarn.factor, weight: 10 * logarithm)
    configuration.attentionScale *= Float(scale * scale)
    if try metadata.optionalDouble("rope.scaling.yarn_attn_factor") == nil {
      configuration.yarn?.magnitude = 1
    }
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    guard let latent = configuration.latent else {
      throw .missingKey("deepseek2.attention.kv_lora_rank")
    }
    let prefix = "blk.\(index)."
    return try DecoderLayer(
      prefix: prefix,
      attention: try LatentAttentionBlock(index, prefix: prefix, configuration, latent, loader),
      feedForward: configuration.feedForward(index, prefix: prefix, loader), configuration, loader)
  }
}
