extension DecoderConfiguration {
  /// The configuration with another gate, or with its dense blocks cut into slices, or both.
  func with(
    gate: GateDescription?, feedForwardSlices: Int?
  ) throws(ModelError) -> DecoderConfiguration {
    var changed = self
    if let feedForwardSlices {
      guard mixture == nil, architecture == Llama.architecture else {
        throw .unsupported(
          key: "feed_forward_slices", value: "\(feedForwardSlices) (\(architecture))")
      }
      let slices = try FeedForwardSlices(innerWidth: feedForwardWidth, count: feedForwardSlices)
      changed.mixture = Mixture(
        expertCount: slices.count, expertsUsed: slices.count,
        expertWidth: slices.innerWidth / slices.count, sharedWidth: 0, normalisesWeights: false)
      changed.mixture?.areSlices = true
      changed.mixture?.gate = GateDescription(
        scores: .fixedRandom, probability: .none, selection: .topK(slices.count),
        weighting: .one)
    }
    if let gate {
      guard changed.mixture != nil else {
        throw .unsupported(key: "gate", value: "a model without experts (\(architecture))")
      }
      changed.mixture?.gate = gate
    }
    return try changed.validated()
  }
}
