/// How often what a draft model guesses of one sequence is right, by how sure it was of it.
///
/// The model's own probability of a guess tells well which guesses hold, and badly how many: one that was
/// trained longer than the model it guesses for is too sure, one whose model samples at a high temperature
/// as well. So its probabilities are scaled by what came of the last ones.
package struct DraftOdds {
  // Sums over guesses that were looked at, each weighed by how recent it is; they begin as if a few had been.
  private var right = 3.0
  private var expected = 3.0
  /// What asking for one guess more is likely to bring: the chance that it is right, or 0 where the model is so unsure
  /// that it is left.
  package private(set) var yield = 0.75

  private static let decay = 0.96
  private static let yieldDecay = 0.9
  private static let highest = 0.98

  package init() {}

  /// The chance that a guess is right that the draft model gives this probability.
  package func chance(probability: Double) -> Double {
    min(Self.highest, probability * right / max(expected, 1e-9))
  }

  /// Takes what the draft model was asked for.
  /// - Parameter chance: 0 if the guess was left.
  package mutating func noteGuess(chance: Double) {
    yield = yield * Self.yieldDecay + chance * (1 - Self.yieldDecay)
  }

  /// Takes what came of a draft: its guesses up to the first wrong one were looked at.
  /// - Parameter probabilities: What the draft model gave each of its guesses.
  package mutating func note(probabilities: [Double], accepted: Int) {
    for (index, probability) in probabilities.prefix(accepted + 1).enumerated() {
      right = right * Self.decay + (index < accepted ? 1 : 0)
      expected = expected * Self.decay + probability
    }
  }
}
