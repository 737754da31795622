/// How a gate's probabilities are smoothed over the tokens of a sequence (Similarity-aware and
/// Attention-aware SMoE): P' = (1 - mix) P + mix S P, where row i of S weighs the tokens up to i
/// and sums to 1. A later token never changes an earlier one's experts.
package struct GateSmoothing: Sendable, Equatable {
  /// Where S comes from.
  package enum Similarity: Sendable, Equatable {
    /// A softmax over the cosines of the rows, divided by the temperature.
    case cosine(temperature: Float)
    /// A softmax over the rows' dot products times the factor.
    case dot(factor: Float)
    /// Given with the rows: the attention weights of the block before, averaged over its heads.
    case attention
  }

  /// 0 is the plain gate.
  package var mix: Float
  package var similarity: Similarity

  package init(mix: Float, similarity: Similarity) {
    self.mix = mix
    self.similarity = similarity
  }

  func validate(probability: Gate.Probability) throws(ModelError) {
    guard mix >= 0, mix <= 1 else {
      throw .invalidValue(key: "gate.smoothing.mix", value: "\(mix)", expected: "0 to 1")
    }
    switch similarity {
    case .cosine(let temperature):
      guard temperature > 0, temperature.isFinite else {
        throw .invalidValue(
          key: "gate.smoothing.temperature", value: "\(temperature)", expected: "above 0")
      }
    case .dot(let factor):
      guard factor.isFinite else {
        throw .invalidValue(
          key: "gate.smoothing.factor", value: "\(factor)", expected: "a finite number")
      }
    case .attention: break
    }
    guard probability == .softmax else {
      throw .invalidValue(
        key: "gate.probability", value: probability.rawValue, expected: "softmax with smoothing")
    }
  }
}
