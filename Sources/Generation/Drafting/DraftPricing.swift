/// By what a draft model's guesses are made or left.
package enum DraftPricing: Sendable {
  /// By what passes took and what came of earlier guesses: those that pay are made.
  case measured
  /// All that may be are made, whatever they cost: tells how good a draft model guesses.
  case free
}
