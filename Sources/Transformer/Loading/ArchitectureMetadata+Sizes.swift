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
  /// - Parameters:
  ///   - rotatesParts: Whether the family may rotate a part of each head only.
  ///   - keyValueHeadCount: Heads of keys, where the family has read them; nil for the file's number.
  ///   - feedForwardWidth: The same of `feed_forward_length`.
  func sizes(
    rotatesParts: Bool = false, keyValueHeadCount: Int? = nil, feedForwardWidth: Int? = nil
  ) throws(ModelError) -> Sizes {
    let width = try int("embedding_length")
    let headCount = try int("attention.head_count")
    let layerCount = try layerCount()
    guard headCount > 0 else {
      throw .invalidValue(
        key: "\(architecture).attention.head_count", value: "\(headCount)", expected: "1 or more")
    }
    let headDim = try optionalInt("attention.key_length") ?? width / headCount
    if let valueDim = try optionalInt("attention.value_length"), valueDim != headDim {
      throw .unsupported(key: "\(architecture).attention.value_length", value: "\(valueDim)")
    }
    if !rotatesParts { try requireFullRotation(headDim: headDim) }
    var inner = feedForwardWidth
    if inner == nil { inner = try optionalInt("feed_forward_length") }
    if inner == nil { inner = try optionalInt("expert_feed_forward_length") }
    guard let inner else { throw .missingKey("\(architecture).feed_forward_length") }
    var keyValueHeadCount = keyValueHeadCount
    if keyValueHeadCount == nil {
      keyValueHeadCount = try optionalInt("attention.head_count_kv")
    }
    return Sizes(
      width: width, headCount: headCount, keyValueHeadCount: keyValueHeadCount ?? headCount,
      headDim: headDim, feedForwardWidth: inner, layerCount: layerCount)
  }

  /// The number of layers, as many as can be run.
  func layerCount() throws(ModelError) -> Int {
    let count = try int("block_count")
    guard (1...DecoderConfiguration.Limit.layerCount).contains(count) else {
      throw .invalidValue(
        key: "\(architecture).block_count", value: "\(count)",
        expected: "1 to \(DecoderConfiguration.Limit.layerCount)")
    }
    return count
  }
}

extension DecoderConfiguration {
  /// A configuration of a family that is Llama's but for what the caller changes afterwards:
  /// pre-norm, rotary positions, a SiLU gate. Not validated yet.
  /// - Parameters:
  ///   - rotatesParts: Whether the family may rotate the first numbers of each head only.
  ///   - keyValueHeadCount: Heads of keys, where the family has read them; nil for the file's number.
  ///   - feedForwardWidth: The same of `feed_forward_length`.
  init(
    from metadata: ArchitectureMetadata, vocabularySize: Int, rotaryStyle: RotaryStyle,
    rotatesParts: Bool = false, keyValueHeadCount: Int? = nil, feedForwardWidth: Int? = nil
  ) throws(ModelError) {
    let sizes = try metadata.sizes(
      rotatesParts: rotatesParts, keyValueHeadCount: keyValueHeadCount,
      feedForwardWidth: feedForwardWidth)
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

  /// Leaves out what guesses several tokens ahead: it stands behind the layers, and isn't run.
  mutating func dropGuessingLayers(_ metadata: ArchitectureMetadata) throws(ModelError) {
    let guessing = try metadata.optionalInt("nextn_predict_layers") ?? 0
    guard (0..<layers.count).contains(guessing) else {
      throw .invalidValue(
        key: "\(architecture).nextn_predict_layers", value: "\(guessing)",
        expected: "fewer than block_count \(layers.count)")
    }
    layers.removeLast(guessing)
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
