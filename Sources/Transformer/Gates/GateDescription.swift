import Kernels

/// All of a gate but its numbers: what a model's file or configuration says of it.
///
/// ```json
/// {"scores": "linear", "probability": "softmax",
///  "selection": {"kind": "top_p", "threshold": 0.4, "includes_crossing": true},
///  "weighting": "raw"}
/// ```
/// `probability` is softmax, `weighting` raw and `scale` 1 where they are not given. A key or kind
/// that nobody knows is an error.
package struct GateDescription: Sendable, Equatable {
  /// The kinds of `Gate.Scores`.
  package enum ScoreKind: String, Sendable, Codable, CaseIterable {
    case linear
    case cosine
    case fixedRandom = "fixed_random"
    case random
    case perTask = "per_task"
  }

  package var scores: ScoreKind
  package var probability: Gate.Probability
  package var selection: Gate.Selection
  package var weighting: Gate.Weighting
  package var scale: Float
  /// Of a fixed random map.
  package var seed: UInt64
  /// See `Gate.maximumK`.
  package var maximumK: Int?
  package var sharedExperts: Int
  package var hasBypassExpert: Bool
  package var smoothing: GateSmoothing?

  package init(
    scores: ScoreKind = .linear, probability: Gate.Probability = .softmax,
    selection: Gate.Selection, weighting: Gate.Weighting = .raw, scale: Float = 1,
    seed: UInt64 = 0, maximumK: Int? = nil, sharedExperts: Int = 0,
    hasBypassExpert: Bool = false, smoothing: GateSmoothing? = nil
  ) {
    self.scores = scores
    self.probability = probability
    self.selection = selection
    self.weighting = weighting
    self.scale = scale
    self.seed = seed
    self.maximumK = maximumK
    self.sharedExperts = sharedExperts
    self.hasBypassExpert = hasBypassExpert
    self.smoothing = smoothing
  }

  /// Experts that no row's logits choose among. A number that no gate can have, which a file may
  /// hold, counts as the nearest.
  var unroutedExperts: Int { clampedSharedExperts + (hasBypassExpert ? 1 : 0) }
  var clampedSharedExperts: Int { min(max(sharedExperts, 0), Gate.largestExpertCount) }

  /// The gate with its numbers. `matrix` is the linear weight or the prototypes // (experts,
  /// width), or the tasks' rows // (tasks, experts); random gates need none.
  package func gate(
    expertCount: Int, width: Int, layer: Int = 0, matrix: FloatBuffer? = nil,
    bias: [Float]? = nil, selectionBias: [Float]? = nil
  ) throws(ModelError) -> Gate {
    if bias != nil, scores != .linear {
      throw .invalidValue(
        key: "gate.bias", value: "present", expected: "none with \(scores.rawValue) scores")
    }
    return try Gate(
      expertCount: expertCount, width: width,
      scores: boundScores(layer: layer, matrix: matrix, bias: bias), probability: probability,
      selection: selection, selectionBias: selectionBias, weighting: weighting, scale: scale,
      maximumK: maximumK, sharedExperts: sharedExperts, hasBypassExpert: hasBypassExpert,
      smoothing: smoothing)
  }

  private func boundScores(
    layer: Int, matrix: FloatBuffer?, bias: [Float]?
  ) throws(ModelError) -> Gate.Scores {
    switch scores {
    case .fixedRandom: return .fixedRandom(seed: seed, layer: layer)
    case .random: return .random
    case .linear, .cosine, .perTask:
      guard let matrix else { throw .missingTensor("gate (\(scores.rawValue))") }
      return switch scores {
      case .cosine: .cosine(prototypes: matrix)
      case .perTask: .perTask(rows: matrix)
      default: .linear(weight: matrix, bias: bias)
      }
    }
  }
}
