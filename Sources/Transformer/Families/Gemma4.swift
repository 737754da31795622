/// Gemma 4, text only.
///
/// Against Gemma 3: layers that see a window have other heads than those that see everything, of which a part of
/// the pairs is rotated; values are normalised too, and may be the keys; scores have no scale but the norms'.
/// The last layers may read the keys and values of the last ones before them (E2B, E4B), with wider
/// feed-forward blocks. Tokens may mean something to each layer by themselves (`LayerEmbedding`), and experts
/// may stand beside the dense blocks (26B-A4B). Norm weights are as they are: no 1 is added.
package enum Gemma4: DecoderFamily {
  package static let architecture = "gemma4"

  /// Every so many layers one sees the whole context, where the file doesn't say which.
  static let slidingWindowPattern = 6
  /// Rotary base of the layers with a sliding window.
  static let localRotaryBase = 10_000.0

  package static func configuration(
    from metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) -> DecoderConfiguration {
    let layerCount = try metadata.int("block_count")
    guard (1...DecoderConfiguration.Limit.layerCount).contains(layerCount) else {
      throw .invalidValue(
        key: "gemma4.block_count", value: "\(layerCount)",
        expected: "1 to \(DecoderConfiguration.Limit.layerCount)")
    }
    let width = try metadata.int("embedding_length")
    let headDim = try metadata.int("attention.key_length")
    let localHeadDim = try metadata.int("attention.key_length_swa")
    for (key, expected) in [
      ("attention.value_length", headDim), ("attention.value_length_swa", localHeadDim),
      ("rope.dimension_count", headDim), ("rope.dimension_count_swa", localHeadDim),
    ] {
      guard let value = try metadata.optionalInt(key), value != expected else { continue }
      throw .unsupported(key: "gemma4.\(key)", value: "\(value)")
    }
    let keyValueHeads = try metadata.ints("attention.head_count_kv", layers: layerCount)
    let inner = try metadata.ints("feed_forward_length", layers: layerCount)
    var configuration = DecoderConfiguration(
      architecture: architecture,
      vocabularySize: vocabularySize,
      width: width,
      headCount: try metadata.int("attention.head_count"),
      keyValueHeadCount: keyValueHeads[0],
      headDim: headDim,
      feedForwardWidth: inner[0],
      contextLength: try metadata.int("context_length"),
      normEpsilon: Float(try metadata.double("attention.layer_norm_rms_epsilon")),
      rotaryStyle: .halves,
      activation: .geluTanh,
      attentionScale: 1,
      layers: Array(
        repeating: .init(rotaryBase: try metadata.optionalDouble("rope.freq_base") ?? 1_000_000),
        count: layerCount))
    for index in 0..<layerCount {
      configuration.layers[index].keyValueHeadCount = keyValueHeads[index]
      configuration.layers[index].feedForwardWidth = inner[index]
    }
    try metadata.readRotaryScaling(into: &configuration, truncates: true)
    try configuration.readWindow(metadata, pattern: slidingWindowPattern)
    let localBase = try metadata.optionalDouble("rope.freq_base_swa") ?? localRotaryBase
    configuration.setWindowedRotary { rotary in
      rotary.base = localBase
      rotary.headDim = localHeadDim
      rotary.isStretched = false
    }
    for index in 0..<layerCount where configuration.layers[index].slidingWindow != nil {
      configuration.layers[index].headDim = localHeadDim
    }
    try configuration.shareKeysAndValues(
      ofLast: metadata.optionalInt("attention.shared_kv_layers") ?? 0)
    if let cap = try metadata.optionalDouble("final_logit_softcapping"), cap != 0 {
      configuration.logitSoftcap = Float(cap)
    }
    configuration.embeddingScale = Float(max(width, 1)).squareRoot()
    if let own = try metadata.optionalInt("embedding_length_per_layer_input"), own != 0 {
      configuration.layerEmbeddingWidth = own
    }
    if let count = try metadata.optionalInt("expert_count"), count != 0 {
      configuration.mixture = try metadata.mixture(
        expertWidth: metadata.int("expert_feed_forward_length"), normalisesWeights: true)
    }
    return try configuration.validated()
  }

  package static func layer(
    _ index: Int, configuration: DecoderConfiguration, loader: WeightLoader
  ) throws(ModelError) -> DecoderLayer {
    let prefix = "blk.\(index)."
    let heads = configuration.heads(layer: index)
    var attention = try AttentionBlock(
      index, prefix: prefix, configuration, loader, valuesMayBeKeys: true)
    attention.queryNorm = try loader.vector(prefix + "attn_q_norm.weight", count: heads.headDim)
    if configuration.layers[index].keyValueSource == nil {
      attention.keyNorm = try loader.vector(prefix + "attn_k_norm.weight", count: heads.headDim)
      attention.valueNorm = try loader.ones(count: heads.valueDim)
    }
    var layer = try DecoderLayer(
      sandwiching: attention, index, configuration, loader,
      feedForward: configuration.mixture == nil
        ? nil : DenseWithExperts(index, prefix: prefix, configuration, loader))
    layer.embedding = try configuration.layerEmbeddingWidth.map { own throws(ModelError) in
      try LayerEmbedding(index, prefix: prefix, own: own, configuration, loader)
    }
    let name = prefix + "layer_output_scale.weight"
    if let scale = try loader.optionalFloats(name, count: 1)?.first {
      guard scale.isFinite else { throw .unreadableTensor(name, reason: "is \(scale)") }
      layer.outputScale = scale
    }
    return layer
  }
}

extension DecoderConfiguration {
  /// Lets the last layers read the keys and values of the last layer before them that sees as much.
  mutating func shareKeysAndValues(ofLast count: Int) throws(ModelError) {
    guard count != 0 else { return }
    guard (1..<layers.count).contains(count) else {
      throw .invalidValue(
        key: "\(architecture).attention.shared_kv_layers", value: "\(count)",
        expected: "0 to \(layers.count - 1)")
    }
    let first = layers.count - count
    for index in first..<layers.count {
      let source = layers[..<first].lastIndex {
        $0.slidingWindow == layers[index].slidingWindow
      }
      guard let source else {
        throw .invalidValue(
          key: "\(architecture).attention.shared_kv_layers", value: "\(count)",
          expected: "few enough that layer \(index) has another of its kind before them")
      }
      layers[index].keyValueSource = source
    }
  }
}
