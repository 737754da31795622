extension GateDescription {
  // MARK: Models

  /// OLMoE (raw weights), Qwen2-MoE, Qwen3-MoE (as their files say): a softmax over all, the best
  /// k, their weights as they are or shared out again.
  package static func topKSoftmax(_ k: Int, normalized: Bool) -> GateDescription {
    GateDescription(selection: .topK(k), weighting: normalized ? .sumToOne : .raw)
  }

  /// Mixtral, Granite-MoE, gpt-oss: the best k logits, a softmax over those. (For Mixtral, whose
  /// text shares a softmax over all out again, the same numbers.)
  package static func topKLogits(_ k: Int) -> GateDescription {
    GateDescription(
      probability: .none, selection: .topK(k), weighting: .softmaxOverKept)
  }

  /// DeepSeek-V2: groups by their best expert; raw weights times the scale.
  package static func deepSeekV2(
    _ k: Int, groups: Int, keptGroups: Int, scale: Float, normalized: Bool = false
  ) -> GateDescription {
    GateDescription(
      selection: .groupLimitedTopK(
        k: k, groups: groups, keptGroups: keptGroups, groupScore: .max),
      weighting: normalized ? .sumToOne : .raw, scale: scale)
  }

  /// DeepSeek-V3: sigmoids; groups and experts are compared with the selection's bias, groups by
  /// their two best; weights without the bias share to one, times the scale.
  package static func deepSeekV3(
    _ k: Int, groups: Int, keptGroups: Int, scale: Float
  ) -> GateDescription {
    GateDescription(
      probability: .sigmoid,
      selection: .groupLimitedTopK(
        k: k, groups: groups, keptGroups: keptGroups, groupScore: .topTwoSum),
      weighting: .sumToOne, scale: scale)
  }

  /// DiT-MoE (arXiv 2407.11633), as DeepSeekMoE: experts that are always on, and the best k.
  package static func sharedAndRouted(_ k: Int, sharedExperts: Int) -> GateDescription {
    GateDescription(selection: .topK(k), sharedExperts: sharedExperts)
  }

  // MARK: Research

  /// Harder Tasks Need More Experts (arXiv 2403.07652): until the sum exceeds the threshold, the
  /// crossing expert included; raw weights.
  package static func harderTasks(threshold: Float = 0.4) -> GateDescription {
    GateDescription(selection: .topP(threshold: threshold, includesCrossing: true))
  }

  /// DynMoLE (arXiv 2504.00661): all experts for a row that can't decide; else those below the
  /// threshold's sum, two at least; raw weights.
  package static let dynMoLE = GateDescription(selection: .entropySwitch(Gate.EntropySwitch()))

  /// LLaVA-MoLE (arXiv 2401.16160): the best one of a linear map with bias, weight 1.
  package static let llavaMoLE = GateDescription(selection: .topK(1), weighting: .one)

  /// LoRA-Mixer (arXiv 2507.00029) at inference: the best three, sharing to one. (Our reading: the
  /// mixture stays an average. In training all are on: `selection` all.)
  package static func loraMixer(_ k: Int = 3) -> GateDescription {
    GateDescription(selection: .topK(k), weighting: .sumToOne)
  }

  /// SMoE-Dropout (arXiv 2303.01610): a map that is never trained; any k at inference.
  package static func smoeDropout(_ k: Int, seed: UInt64) -> GateDescription {
    GateDescription(
      scores: .fixedRandom, probability: .none, selection: .topK(k),
      weighting: .softmaxOverKept, seed: seed)
  }

  /// THOR (arXiv 2110.04260): one expert at random, weight 1.
  package static let thor = GateDescription(
    scores: .random, probability: .none, selection: .topK(1), weighting: .one)

  /// ProMoE (arXiv 2510.24711): softmax over cosines to prototypes, raw weights, marked tokens to
  /// an expert of their own.
  package static func proMoE(_ k: Int) -> GateDescription {
    GateDescription(scores: .cosine, selection: .topK(k), hasBypassExpert: true)
  }

  /// Similarity-aware and attention-aware SMoE (arXiv 2505.00792): top-k of smoothed
  /// probabilities.
  package static func smoothed(_ k: Int, by smoothing: GateSmoothing) -> GateDescription {
    GateDescription(selection: .topK(k), smoothing: smoothing)
  }

  /// Polytropon and MHR (arXiv 2211.03831): sigmoid(z) / (sum + epsilon) of a task's row. Their
  /// experts are averaged before the product: `LowRankPair.averaged`.
  package static let perTaskAverage = GateDescription(
    scores: .perTask, probability: .sigmoid, selection: .all, weighting: .sumToOne)

  /// Switch-DiT (arXiv 2403.09176) and MoDE (arXiv 2412.12953): a gate of the request alone, known
  /// before the pass; its experts can be fused once: `LowRankPair.fused`.
  package static func perTaskTopK(_ k: Int) -> GateDescription {
    GateDescription(scores: .perTask, selection: .topK(k))
  }
}
