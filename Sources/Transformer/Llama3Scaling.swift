import Foundation

/// Llama 3.1's rotary embedding stretched beyond the context that the model was first trained for:
/// pairs whose wave is short beside that context keep their frequency, those whose wave is long are
/// slowed down by `factor`, and between the two the frequency goes over smoothly. (Published with
/// the model's code; there is no paper.)
package struct Llama3Scaling: Sendable, Equatable {
  /// How much the slowest pairs are slowed down.
  package var factor: Double
  /// Turns within the original context at and below which a pair is slowed down by the whole factor.
  package var lowFrequencyFactor: Double
  /// Turns at and above which it keeps its frequency.
  package var highFrequencyFactor: Double
  /// Positions of the context before.
  package var originalContextLength: Int

  package init(
    factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
    originalContextLength: Int
  ) {
    self.factor = factor
    self.lowFrequencyFactor = lowFrequencyFactor
    self.highFrequencyFactor = highFrequencyFactor
    self.originalContextLength = originalContextLength
  }

  /// What each pair's frequency is divided by. // (rotatedDim / 2)
  package func frequencyFactors(rotatedDim: Int, base: Double) -> [Double] {
    (0..<rotatedDim / 2).map { pair in
      let wavelength = 2 * .pi * pow(base, 2 * Double(pair) / Double(rotatedDim))
      let turns = Double(originalContextLength) / wavelength
      // The weight of the frequency as it was, against the one divided by the factor.
      let kept = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
      let weight = min(max(kept, 0), 1)
      return 1 / (weight + (1 - weight) / factor)
    }
  }

  /// The first value that no model has, if there is one.
  var problem: (key: String, value: String, expected: String)? {
    guard factor.isFinite, factor >= 1, factor <= 1e6 else {
      return ("rope.scaling.factor", "\(factor)", "1 to 1000000")
    }
    guard lowFrequencyFactor.isFinite, lowFrequencyFactor > 0 else {
      return ("rope.scaling.low_freq_factor", "\(lowFrequencyFactor)", "a positive number")
    }
    guard highFrequencyFactor.isFinite, highFrequencyFactor > lowFrequencyFactor else {
      return (
        "rope.scaling.high_freq_factor", "\(highFrequencyFactor)",
        "more than low_freq_factor, \(lowFrequencyFactor)"
      )
    }
    guard (1...DecoderConfiguration.Limit.contextLength).contains(originalContextLength) else {
      return (
        "rope.scaling.original_context_length", "\(originalContextLength)",
        "1 to \(DecoderConfiguration.Limit.contextLength)"
      )
    }
    return nil
  }
}
