/// How many tokens a sequence's next guess has, by how the last ones fared: more while guesses hold,
/// none for a while after wrong ones, and then only what more words speak for.
struct DraftPace {
  private let limit: Int
  private var length: Int
  private var misses = 0
  private var pause = 0

  private static let firstLength = 3
  /// How often a pause doubles at most.
  private static let mostDoublings = 5

  init(limit: Int) {
    self.limit = limit
    length = min(limit, Self.firstLength)
  }

  /// Tokens to guess in the next pass.
  mutating func next() -> Int {
    guard pause > 0 else { return length }
    pause -= 1
    return 0
  }

  /// Tokens that must have stood before for a guess.
  var shortestMatch: Int { PromptLookup.shortestMatch + min(misses, 3) }

  /// Takes what came of a guess.
  mutating func note(drafted: Int, accepted: Int) {
    if accepted == 0 {
      misses += 1
      pause = 1 << min(misses, Self.mostDoublings)
      length = max(1, length / 2)
      return
    }
    misses = 0
    length = accepted == drafted ? min(limit, max(length, 2 * drafted)) : min(limit, accepted + 1)
  }
}
