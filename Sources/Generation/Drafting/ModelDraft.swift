import Transformer

/// What a draft model keeps of one sequence that it guesses for.
final class ModelDraft {
  /// Keys and values of `known`, in the draft model's memory.
  let cache: KVCache
  /// The tokens that the cache holds, guesses that turned out wrong among them.
  var known: [Int32]
  var odds = DraftOdds()
  /// What the draft model gave each guess of the draft that is being proved.
  var probabilities: [Double] = []
  /// Whether that draft was made although it didn't seem to pay.
  var wasTrial = false
  private var idle = 0
  private var patience = leastPatience

  private static let leastPatience = 16
  private static let mostPatience = 512

  init(cache: KVCache, known: [Int32]) {
    self.cache = cache
    self.known = known
  }

  /// Forgets what does not stand in the sequence, and leaves its last token out, whose logits are asked for.
  func keep(_ tokens: [Int32]) {
    let limit = min(known.count, tokens.count - 1)
    var count = 0
    while count < limit, known[count] == tokens[count] { count += 1 }
    cache.truncate(to: count)
    known.removeLast(known.count - cache.count)
  }

  /// Whether a guess is to be made although none seems to pay: texts change, and so does what other work the machine
  /// has.
  var isTrial: Bool { idle >= patience }

  /// Notes that no guess was made, since none would have paid.
  func notePass() { idle += 1 }

  /// Takes what came of a draft.
  func note(accepted: Int) {
    odds.note(probabilities: probabilities, accepted: accepted)
    probabilities = []
    idle = 0
    patience = wasTrial && accepted == 0 ? min(Self.mostPatience, 2 * patience) : Self.leastPatience
  }
}
