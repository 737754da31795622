import Foundation

/// YaRN (Peng et al., 2023): a rotary embedding stretched beyond the context that the model was
/// first trained for. Pairs that turn often within that context keep their frequency, those that
/// turn seldom are slowed down by `factor`, and a ramp lies between.
package struct YaRNScaling: Sendable, Equatable {
  /// How many times longer the context becomes.
  package var factor: Double
  /// Positions of the context before.
  package var originalContextLength: Int
  /// Turns within the original context at and above which a pair keeps its frequency.
  package var betaFast: Double = 32
  /// Turns at and below which it is slowed down by the whole factor.
  package var betaSlow: Double = 1
  /// Whether the ramp's ends are moved out to whole pairs. Most models do; gpt-oss does not
  /// (llama.cpp does so for it too, which the model's own code contradicts).
  package var truncates = true
  /// Factor on the rotated queries and keys.
  package var magnitude: Double

  package init(factor: Double, originalContextLength: Int) {
    self.factor = factor
    self.originalContextLength = originalContextLength
    magnitude = Self.magnitude(factor: factor)
  }

  /// The paper's factor on rotated numbers, with its logarithm weighted by `weight`.
  package static func magnitude(factor: Double, weight: Double = 1) -> Double {
    factor > 1 ? 0.1 * weight * log(factor) + 1 : 1
  }

  /// What each pair's frequency is divided by. // (rotatedDim / 2)
  package func frequencyFactors(rotatedDim: Int, base: Double) -> [Double] {
    func pair(turns: Double) -> Double {
      Double(rotatedDim) * log(Double(originalContextLength) / (turns * 2 * .pi)) / (2 * log(base))
    }
    var low = pair(turns: betaFast)
    var high = pair(turns: betaSlow)
    if truncates {
      low = low.rounded(.down)
      high = high.rounded(.up)
    }
    low = max(low, 0)
    high = min(high, Double(rotatedDim - 1))
    if low == high { high += 0.001 }
    return (0..<rotatedDim / 2).map { index in
      let ramp = min(max((Double(index) - low) / (high - low), 0), 1)
      return 1 / (ramp / factor + 1 - ramp)
    }
  }

  /// The first value that no model has, if there is one.
  var problem: (key: String, value: String, expected: String)? {
    guard factor.isFinite, factor >= 1, factor <= 1e6 else {
      return ("rope.scaling.factor", "\(factor)", "1 to 1000000")
    }
    guard (1...DecoderConfiguration.Limit.contextLength).contains(originalContextLength) else {
      return (
        "rope.scaling.original_context_length", "\(originalContextLength)",
        "1 to \(DecoderConfiguration.Limit.contextLength)"
      )
    }
    for (key, value) in [
      ("yarn_beta_fast", betaFast), ("yarn_beta_slow", betaSlow), ("yarn_attn_factor", magnitude),
    ] where !(value.isFinite && value > 0 && value < 1e6) {
      return ("rope.scaling.\(key)", "\(value)", "a positive number")
    }
    return nil
  }
}
