extension ArchitectureMetadata {
  /// Sizes that all families state alike, checked as far as what is derived from them needs.
  struct Sizes {
    let width: Int
    let headCount: Int
    let keyValueHeadCount: Int
    let headDim: Int
    let feedForwardWidth: Int
    let layerCount: Int
  }

  /// Reads the sizes; `attention.key_length` is optional, `feed_forward_length` not.
  func sizes() throws(ModelError) -> Sizes {
    let width = try int("embedding_length")
    let headCount = try int("attention.head_count")
    let layerCount = try int("block_count")
    guard headCount > 0 else {
      throw .invalidValue(
        key: "\(architecture).attention.head_count", value: "\(headCount)", expected: "1 or more")
    }
    guard (1...DecoderConfiguration.Limit.layerCount).contains(layerCount) else {
      throw .invalidValue(
        key: "\(architecture).block_count", value: "\(layerCount)",
        expected: "1 to \(DecoderConfiguration.Limit.layerCount)")
    }
    let headDim = try optionalInt("attention.key_length") ?? width / headCount
    if let valueDim = try optionalInt("attention.value_length"), valueDim != headDim {
      throw .unsupported(key: "\(architecture).attention.value_length", value: "\(valueDim)")
    }
    try requireFullRotation(headDim: headDim)
    return Sizes(
      width: width, headCount: headCount,
      keyValueHeadCount: try optionalInt("attention.head_count_kv") ?? headCount,
      headDim: headDim, feedForwardWidth: try int("feed_forward_length"), layerCount: layerCount)
  }
}

extension DecoderConfiguration {
  /// A configuration of a family that is Llama's but for what the caller changes afterwards:
  /// pre-norm, rotary positions, a SiLU gate. Not validated yet.
  init(
    from metadata: ArchitectureMetadata, vocabularySize: Int, rotaryStyle: RotaryStyle
  ) throws(ModelError) {
    let sizes = try metadata.sizes()
    self.init(
      architecture: metadata.architecture,
      vocabularySize: vocabularySize,
      width: sizes.width,
      headCount: sizes.headCount,
      keyValueHeadCount: sizes.keyValueHeadCount,
      headDim: sizes.headDim,
      feedForwardWidth: sizes.feedForwardWidth,
      contextLength: try metadata.int("context_length"),
      normEpsilon: Float(try metadata.double("attention.layer_norm_rms_epsilon")),
      rotaryStyle: rotaryStyle,
      activation: .silu,
      attentionScale: 1 / Float(max(sizes.headDim, 1)).squareRoot(),
      layers: Array(
        repeating: .init(rotaryBase: try metadata.optionalDouble("rope.freq_base") ?? 10_000),
        count: sizes.layerCount))
    try metadata.readRotaryScaling(into: &self)
  }
}
