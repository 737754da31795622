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
}
