import Kernels

extension Gate {
  /// Where a row's logits come from.
  package enum Scores: Sendable {
    /// `weight` x row + `bias`. // weight (experts, width)
    case linear(weight: FloatBuffer, bias: [Float]? = nil)
    /// The cosine of the row and each prototype, so that a row's length plays no part (ProMoE).
    /// A row or prototype of length 0 has cosine 0. // (experts, width)
    case cosine(prototypes: FloatBuffer)
    /// A linear map that nobody trained, uniform in +-1/sqrt(width), from the seed and the layer:
    /// the same on every machine (SMoE-Dropout).
    case fixedRandom(seed: UInt64, layer: Int = 0)
    /// Numbers in [0, 1) from the request's seed, the layer, the position and the expert: top-1 of
    /// them is one expert at random, top-k k different ones (THOR). The same whatever the batch.
    case random
    /// The row of logits that belongs to the request's task (MHR, Polytropon). Without a task, or
    /// with one that is not there, all logits are 0: the uniform mixture. // (tasks, experts)
    case perTask(rows: FloatBuffer)
  }

  /// What logits become before experts are compared.
  package enum Probability: String, Sendable, Codable, CaseIterable {
    case softmax
    case sigmoid
    case none
  }

  /// Which experts are kept. Equal ones: the lower id first.
  package enum Selection: Sendable, Equatable {
    case topK(Int)
    /// Experts lie in `groups` equal runs; the `keptGroups` groups with the best score are looked
    /// at, and the best k of their experts kept (DeepSeek).
    case groupLimitedTopK(k: Int, groups: Int, keptGroups: Int, groupScore: GroupScore)
    /// The best experts until their probabilities' sum exceeds `threshold`; the one that crosses
    /// is kept or not. At least `atLeast`. A threshold of 1 or more keeps all.
    case topP(threshold: Float, includesCrossing: Bool, atLeast: Int = 1)
    /// All experts where the probabilities' entropy is high, else top-p (DynMoLE).
    case entropySwitch(EntropySwitch)
    case all
  }

  /// How good a group of experts is.
  package enum GroupScore: String, Sendable, Codable, CaseIterable {
    /// Its best expert (DeepSeek-V2).
    case max
    /// The sum of its two best (DeepSeek-V3).
    case topTwoSum = "top_two_sum"
  }

  /// What a kept expert's result is multiplied with, before `scale`.
  package enum Weighting: String, Sendable, Codable, CaseIterable {
    /// Its probability as it is.
    case raw
    /// A softmax over the kept experts' logits.
    case softmaxOverKept = "softmax_over_kept"
    /// Its probability's share of the kept ones' sum.
    case sumToOne = "sum_to_one"
    /// 1.
    case one
  }

  /// DynMoLE's choice between all experts and a few, by Tsallis entropy:
  /// H = (1 - sum (p + epsilon)^index) / (index - 1), divided by what a uniform row has.
  package struct EntropySwitch: Sendable, Equatable {
    /// Above it, all experts.
    package var entropyThreshold: Float
    /// The q of the entropy; at 1 it is Shannon's.
    package var index: Float
    package var epsilon: Float
    /// Otherwise the best experts while their sum stays at or below this; the crossing one is not
    /// kept.
    package var topP: Float
    package var atLeast: Int

    package init(
      entropyThreshold: Float = 0.9, index: Float = 1.1, epsilon: Float = 1e-5,
      topP: Float = 0.75, atLeast: Int = 2
    ) {
      self.entropyThreshold = entropyThreshold
      self.index = index
      self.epsilon = epsilon
      self.topP = topP
      self.atLeast = atLeast
    }
  }
}

extension Gate.Selection {
  /// The k of the top-k kinds.
  var fixedK: Int? {
    switch self {
    case .topK(let k), .groupLimitedTopK(let k, _, _, _): k
    case .topP, .entropySwitch, .all: nil
    }
  }

  /// The most experts that it could keep, whatever k.
  func mostSelectable(of expertCount: Int) -> Int {
    switch self {
    case .groupLimitedTopK(_, let groups, let keptGroups, _)
    where groups > 0 && keptGroups > 0 && keptGroups <= groups:
      expertCount / groups * keptGroups
    default: expertCount
    }
  }
}
