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

  /// Reads the sizes; `attention.key_length` is optional, and `feed_forward_length` where the width of
  /// experts is there: a mixture without a dense layer may have no other (Qwen 3.5).
  /// - Parameter rotatesParts: Whether the family may rotate a part of each head only.
  func sizes(rotatesParts: Bool = false) throws(ModelError) -> Sizes {
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
    if !rotatesParts { try requireFullRotation(headDim: headDim) }
    var inner = try optionalInt("feed_forward_length")
    if inner == nil { inner = try optionalInt("expert_feed_forward_length") }
    guard let inner else { throw .missingKey("\(architecture).feed_forward_length") }
    return Sizes(
      width: width, headCount: headCount,
      keyValueHeadCount: try optionalInt("attention.head_count_kv") ?? headCount,
      headDim: headDim, feedForwardWidth: inner, layerCount: layerCount)
  }
}

extension DecoderConfiguration {
  /// A configuration of a family that is Llama's but for what the caller changes afterwards:
  /// pre-norm, rotary positions, a SiLU gate. Not validated yet.
  /// - Parameter rotatesParts: Whether the family may rotate the first numbers of each head only.
  init(
    from metadata: ArchitectureMetadata, vocabularySize: Int, rotaryStyle: RotaryStyle,
    rotatesParts: Bool = false
  ) throws(ModelError) {
    let sizes = try metadata.sizes(rotatesParts: rotatesParts)
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
    if rotatesParts, let rotated = try metadata.optionalInt("rope.dimension_count"),
      rotated != sizes.headDim
    {
      rotatedDim = rotated
    }
    try metadata.readRotaryScaling(into: &self, truncates: true)
  }

  /// Lets some layers see a window only, where the file has one.
  /// - Parameter pattern: Where the file doesn't say which, all but every so many.
  mutating func readWindow(
    _ metadata: ArchitectureMetadata, pattern standard: Int
  ) throws(ModelError) {
    guard let window = try metadata.optionalInt("attention.sliding_window"), window != 0 else {
      return
    }
    let windowed = try metadata.windowedLayers(count: layers.count)
    for index in layers.indices
    where windowed?[index] ?? !(index + 1).isMultiple(of: standard) {
      layers[index].slidingWindow = window
    }
  }

  /// Changes the rotation of the layers that see a window only.
  mutating func setWindowedRotary(_ change: (inout Rotary) -> Void) {
    for index in layers.indices where layers[index].slidingWindow != nil {
      change(&layers[index].rotary)
    }
  }
}
