extension ArchitectureMetadata {
  /// The keys of a mixture of experts with a softmax gate.
  ///
  /// - Parameters:
  ///   - expertWidth: Width of an expert where `expert_feed_forward_length` is missing.
  ///   - sharedWidth: Width of the shared expert where its key is missing; 0 for none.
  ///   - normalisesWeights: Whether chosen weights are normalised to 1 where
  ///     `expert_weights_norm` is missing.
  func mixture(
    expertWidth: Int, sharedWidth: Int = 0, normalisesWeights: Bool
  ) throws(ModelError) -> DecoderConfiguration.Mixture {
    // 1 is ggml's number for softmax.
    if let function = try optionalInt("expert_gating_func"), function != 1 {
      throw .unsupported(key: "\(architecture).expert_gating_func", value: "\(function)")
    }
    var mixture = DecoderConfiguration.Mixture(
      expertCount: try int("expert_count"), expertsUsed: try int("expert_used_count"),
      expertWidth: try optionalInt("expert_feed_forward_length") ?? expertWidth,
      sharedWidth: try optionalInt("expert_shared_feed_forward_length") ?? sharedWidth,
      normalisesWeights: try optionalBool("expert_weights_norm") ?? normalisesWeights)
    // Files that leave the scale out may also write it as 0.
    if let scale = try optionalDouble("expert_weights_scale"), scale != 0 {
      mixture.weightScale = Float(scale)
    }
    return mixture
  }

  /// The keys of a mixture behind some dense layers, as DeepSeek's is: the gate is a softmax or a sigmoid, and chooses,
  /// maybe, from the best groups only; so many experts see every token.
  ///
  /// - Parameters:
  ///   - probability: What the gate is where the file doesn't say.
  ///   - normalisesWeights: Whether chosen weights are normalised to 1 where it doesn't.
  func laterMixture(
    probability: Gate.Probability, normalisesWeights: Bool, sharedCount: Int
  ) throws(ModelError) -> DecoderConfiguration.Mixture {
    let expertWidth = try int("expert_feed_forward_length")
    let (sharedWidth, overflow) = expertWidth.multipliedReportingOverflow(by: sharedCount)
    guard !overflow else {
      throw .invalidValue(
        key: "\(architecture).expert_shared_count", value: "\(sharedCount)",
        expected: "a small number")
    }
    var mixture = DecoderConfiguration.Mixture(
      expertCount: try int("expert_count"), expertsUsed: try int("expert_used_count"),
      expertWidth: expertWidth, sharedWidth: sharedWidth,
      normalisesWeights: try optionalBool("expert_weights_norm") ?? normalisesWeights)
    if let scale = try optionalDouble("expert_weights_scale"), scale != 0 {
      mixture.weightScale = Float(scale)
    }
    mixture.leadingDenseLayers = try optionalInt("leading_dense_block_count") ?? 0
    // ggml's numbers; files leave it out, or write 0, where the family has one only.
    switch try optionalInt("expert_gating_func") ?? 0 {
    case 0: mixture.probability = probability
    case 1: mixture.probability = .softmax
    case 2: mixture.probability = .sigmoid
    case let function:
      throw .unsupported(key: "\(architecture).expert_gating_func", value: "\(function)")
    }
    let groups = try optionalInt("expert_group_count") ?? 1
    if groups > 1 {
      // DeepSeek-V2 ranks groups by their best expert, V3 by its two best.
      mixture.groups = .init(
        count: groups, used: try int("expert_group_used_count"),
        score: mixture.probability == .sigmoid ? .topTwoSum : .max)
    }
    return mixture
  }
}
