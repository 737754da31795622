import Kernels

/// The token-level choice among a layer's experts, described as data.
///
/// A gate is four independent answers, and every published one that this room knows is a value
/// of them:
///
/// | | |
/// |---|---|
/// | `scores` | where a row's logits come from: a linear map, cosines, a fixed random map, chance, its task |
/// | `probability` | what the logits become before experts are compared |
/// | `selection` | which experts are kept |
/// | `weighting` | what the kept experts' results are multiplied with |
///
/// Around them: a bias that only selection sees, a factor on all weights, experts that are always
/// on, and one expert that marked rows go to instead.
///
/// A row whose logits hold a NaN or +infinity, or nothing but -infinity, is chosen for as if all
/// its logits were 0: ties go to the lower id, so top-k gives such a row the first k experts.
///
/// **Adding a gate** is one value and its test:
/// 1. Write it as a `GateDescription` in `GateDescription+Published.swift`: the four answers, its
///    constants, and the paper it is from.
/// 2. Add its formula to `scripts/fixtures/gates.py`, written from the paper and not from this
///    code, run the script, and add the name to `GateParityTests`. Ids must be equal, weights and
///    outputs within 1e-5.
/// 3. Test what is particular to it (its edge cases) in `GateSelectionTests`.
///
/// Only a gate that answers one of the four in a new way needs more: a case in that enum and its
/// branch in `Gate+Choose.swift`.
package struct Gate: Sendable {
  /// Experts that are routed among.
  package let expertCount: Int
  /// Width of the input rows.
  package let width: Int
  /// The kind of scores; their numbers lie in `matrix` and its like.
  package let scores: GateDescription.ScoreKind
  package let probability: Probability
  package let selection: Selection
  /// Added to the probabilities when experts are compared, and not to their weights
  /// (DeepSeek-V3). // (experts)
  package let selectionBias: [Float]?
  package let weighting: Weighting
  /// Factor on the weights of routed experts (`routed_scaling_factor`).
  package let scale: Float
  /// The most experts that a request's `expertsK` can get from a top-k gate. Where it is not
  /// given, k; for a fixed random gate, which is trained for every k, all.
  package let maximumK: Int
  /// Experts that every row gets with weight 1, after its routed ones. Their ids follow those of
  /// the routed. 0 where the layer runs shared experts as a dense block of its own.
  package let sharedExperts: Int
  /// Whether rows that their key marks get the bypass expert instead of routed ones (ProMoE). Its id
  /// is the last. In a model those are the rows of control tokens, which stand for a text's structure
  /// and not for words (`DecoderOptions.markedTokens`); in a mixture of adapters the bypass is the base
  /// alone.
  package let hasBypassExpert: Bool
  /// How probabilities are smoothed over a sequence's tokens, where they are.
  package let smoothing: GateSmoothing?

  /// The matrix that rows are multiplied with: the linear weights, the prototypes at length 1,
  /// or what the seed gave; float32, in the layout of the kernels. // (experts, width)
  let matrix: WeightMatrix?
  /// Added to the products. // (experts)
  let bias: [Float]?
  /// The tasks' rows of logits. // (tasks, experts)
  let tasks: FloatBuffer?

  /// `maximumK` nil is described at the property.
  package init(
    expertCount: Int, width: Int, scores: Scores, probability: Probability = .softmax,
    selection: Selection, selectionBias: [Float]? = nil, weighting: Weighting = .raw,
    scale: Float = 1, maximumK: Int? = nil, sharedExperts: Int = 0,
    hasBypassExpert: Bool = false, smoothing: GateSmoothing? = nil
  ) throws(ModelError) {
    self.expertCount = expertCount
    self.width = width
    self.scores = scores.kind
    self.probability = probability
    self.selection = selection
    self.selectionBias = selectionBias
    self.weighting = weighting
    self.scale = scale
    self.sharedExperts = sharedExperts
    self.hasBypassExpert = hasBypassExpert
    self.smoothing = smoothing
    try Self.check(expertCount: expertCount, width: width, sharedExperts: sharedExperts)
    let k = selection.fixedK
    let mostSelectable = selection.mostSelectable(of: expertCount)
    if let maximumK {
      guard maximumK >= k ?? 1, maximumK <= mostSelectable else {
        throw .invalidValue(
          key: "gate.experts_k", value: "\(maximumK)", expected: "\(k ?? 1) to \(mostSelectable)")
      }
      self.maximumK = maximumK
    } else if case .fixedRandom = scores {
      self.maximumK = mostSelectable
    } else {
      self.maximumK = k ?? mostSelectable
    }
    matrix = try scores.makeMatrix(expertCount: expertCount, width: width)
    bias = if case .linear(_, let bias) = scores { bias } else { nil }
    tasks = if case .perTask(let rows) = scores { rows } else { nil }
    try validate()
  }

  /// All experts that ids can name: routed, then shared, then the bypass.
  package var totalExperts: Int { expertCount + sharedExperts + (hasBypassExpert ? 1 : 0) }
  /// The id of the bypass expert.
  package var bypassExpert: Int? { hasBypassExpert ? totalExperts - 1 : nil }
  /// The most experts that one row can get, shared ones included.
  package var maximumActive: Int { maximumK + sharedExperts }
}
