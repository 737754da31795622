extension DecoderConfiguration {
  /// Largest value each size may have. Far above every model that fits this kind of machine, and
  /// small enough that no product of sizes in the engine can overflow.
  package enum Limit {
    package static let vocabularySize = 1 << 22
    package static let width = 1 << 16
    package static let headCount = 1 << 10
    package static let headDim = 1 << 10
    package static let feedForwardWidth = 1 << 18
    package static let layerCount = 1 << 10
    package static let contextLength = 1 << 24
    package static let expertCount = 1 << 12
  }

  /// Gives the configuration back if every value is one that the engine can run.
  package func validated() throws(ModelError) -> DecoderConfiguration {
    try check("vocab_size", vocabularySize, in: 1...Limit.vocabularySize)
    try check("embedding_length", width, in: 1...Limit.width)
    try check("attention.head_count", headCount, in: 1...Limit.headCount)
    try check("attention.head_count_kv", keyValueHeadCount, in: 1...headCount)
    try check("attention.key_length", headDim, in: 8...Limit.headDim)
    try check("feed_forward_length", feedForwardWidth, in: 1...Limit.feedForwardWidth)
    try check("block_count", layers.count, in: 1...Limit.layerCount)
    try check("context_length", contextLength, in: 1...Limit.contextLength)
    guard width.isMultiple(of: 8) else {
      throw invalid("embedding_length", "\(width)", "a multiple of 8")
    }
    guard feedForwardWidth.isMultiple(of: 8) else {
      throw invalid("feed_forward_length", "\(feedForwardWidth)", "a multiple of 8")
    }
    guard headDim.isMultiple(of: 8) else {
      throw invalid("attention.key_length", "\(headDim)", "a multiple of 8")
    }
    guard headCount.isMultiple(of: keyValueHeadCount) else {
      throw invalid(
        "attention.head_count_kv", "\(keyValueHeadCount)", "a divisor of head_count \(headCount)")
    }
    try check("attention.value_length", valueDim, in: 8...Limit.headDim)
    guard valueDim.isMultiple(of: 8) else {
      throw invalid("attention.value_length", "\(valueDim)", "a multiple of 8")
    }
    try check("n_deepstack_layers", deepRows, in: 0...layers.count)
    if let rotatedDim {
      try check("rope.dimension_count", rotatedDim, in: 2...headDim)
      guard rotatedDim.isMultiple(of: 2) else {
        throw invalid("rope.dimension_count", "\(rotatedDim)", "an even number")
      }
    }
    try latent.map { latent throws(ModelError) in
      try check("attention.kv_lora_rank", latent.keyValueRank, in: 1...Limit.width)
      if let queryRank = latent.queryRank {
        try check("attention.q_lora_rank", queryRank, in: 1...Limit.width)
      }
      guard latent.plainDim > 0, latent.rotatedDim > 0,
        latent.plainDim + latent.rotatedDim == headDim, rotatedDim == latent.rotatedDim,
        keyValueHeadCount == headCount
      else {
        throw invalid(
          "attention.key_length_mla", "\(headDim)", "more than rope.dimension_count")
      }
    }
    if let problem = yarn?.problem ?? llama3Scaling?.problem {
      throw invalid(problem.key, problem.value, problem.expected)
    }
    guard normEpsilon > 0, normEpsilon < 1 else {
      throw invalid("attention.layer_norm_rms_epsilon", "\(normEpsilon)", "above 0 and below 1")
    }
    guard rotaryScale.isFinite, rotaryScale >= 1, rotaryScale <= 1e6 else {
      throw invalid("rope.scaling.factor", "\(rotaryScale)", "1 to 1000000")
    }
    guard attentionScale.isFinite, attentionScale > 0 else {
      throw invalid("attention.scale", "\(attentionScale)", "a positive number")
    }
    guard embeddingScale.isFinite, embeddingScale != 0 else {
      throw invalid("embedding_scale", "\(embeddingScale)", "a finite number other than 0")
    }
    guard residualScale.isFinite, residualScale != 0 else {
      throw invalid("residual_scale", "\(residualScale)", "a finite number other than 0")
    }
    guard logitScale.isFinite, logitScale != 0 else {
      throw invalid("logit_scale", "\(1 / logitScale)", "a finite number other than 0")
    }
    for (key, cap) in [
      ("attn_logit_softcapping", attentionSoftcap), ("final_logit_softcapping", logitSoftcap),
    ] {
      guard let cap else { continue }
      guard cap.isFinite, cap > 0 else { throw invalid(key, "\(cap)", "a positive number") }
    }
    guard rotaryMagnitude.isFinite, rotaryMagnitude > 0, rotaryMagnitude < 1e6 else {
      throw invalid("rope.scaling.attn_factor", "\(rotaryMagnitude)", "a positive number")
    }
    if let problem = queryGrowth?.problem {
      throw invalid(problem.key, problem.value, problem.expected)
    }
    if let mixture { try check(mixture) }
    if let layerEmbeddingWidth {
      try check("embedding_length_per_layer_input", layerEmbeddingWidth, in: 8...Limit.width)
      guard layerEmbeddingWidth.isMultiple(of: 8) else {
        throw invalid(
          "embedding_length_per_layer_input", "\(layerEmbeddingWidth)", "a multiple of 8")
      }
    }
    for (index, layer) in layers.enumerated() {
      try check(layer, index)
      guard layer.rotary.base.isFinite, layer.rotary.base > 1, layer.rotary.base <= 1e12 else {
        throw invalid("rope.freq_base", "\(layer.rotary.base)", "above 1, at most 1e12")
      }
      if let window = layer.slidingWindow {
        try check("attention.sliding_window", window, in: 1...Limit.contextLength)
      }
    }
    return self
  }

  /// Checks what a layer has otherwise than the model.
  private func check(_ layer: Layer, _ index: Int) throws(ModelError) {
    if let headDim = layer.headDim {
      try check("attention.key_length_swa", headDim, in: 8...Limit.headDim)
      guard headDim.isMultiple(of: 8) else {
        throw invalid("attention.key_length_swa", "\(headDim)", "a multiple of 8")
      }
    }
    if let count = layer.keyValueHeadCount {
      try check("attention.head_count_kv", count, in: 1...headCount)
      guard headCount.isMultiple(of: count) else {
        throw invalid(
          "attention.head_count_kv", "\(count)", "a divisor of head_count \(headCount)")
      }
    }
    if let width = layer.feedForwardWidth {
      try check("feed_forward_length", width, in: 1...Limit.feedForwardWidth)
      guard width.isMultiple(of: 8) else {
        throw invalid("feed_forward_length", "\(width)", "a multiple of 8")
      }
    }
    if let source = layer.keyValueSource {
      guard layers.indices.contains(source), source < index, layers[source].keyValueSource == nil,
        heads(layer: source) == heads(layer: index)
      else {
        throw invalid(
          "attention.shared_kv_layers", "layer \(index) reading layer \(source)",
          "a layer before it with the same heads")
      }
    }
  }

  private func check(_ mixture: Mixture) throws(ModelError) {
    try check("expert_count", mixture.expertCount, in: 1...Limit.expertCount)
    try check("expert_used_count", mixture.expertsUsed, in: 1...mixture.expertCount)
    guard mixture.weightScale.isFinite, mixture.weightScale > 0 else {
      throw invalid("expert_weights_scale", "\(mixture.weightScale)", "a positive number")
    }
    for (key, value, least) in [
      ("expert_feed_forward_length", mixture.expertWidth, 8),
      ("expert_shared_feed_forward_length", mixture.sharedWidth, 0),
    ] {
      try check(key, value, in: least...Limit.feedForwardWidth)
      guard value.isMultiple(of: 8) else { throw invalid(key, "\(value)", "a multiple of 8") }
    }
  }

  private func check(
    _ key: String, _ value: Int, in range: ClosedRange<Int>
  ) throws(ModelError) {
    guard range.contains(value) else {
      throw invalid(key, "\(value)", "\(range.lowerBound) to \(range.upperBound)")
    }
  }

  private func invalid(_ key: String, _ value: String, _ expected: String) -> ModelError {
    .invalidValue(key: "\(architecture).\(key)", value: value, expected: expected)
  }
}
