import Kernels
import Transformer

/// A smaller model with the same vocabulary, which guesses how sequences go on; the model that they are
/// for proves the guesses, and no answer changes.
///
/// The guess is the token that the draft model holds most likely, again and again. How far to go is a
/// question of price: a guess more costs a pass of the draft model and a row of the pass that proves it, and
/// brings a token by the chance that it and all before it are right. Guesses are made as long as that
/// is cheaper, a token, than what the pass brings without it; both sides are measured while they run. So a
/// draft model that is too slow or guesses badly ends up being asked now and then only.
///
/// Source: speculative decoding (Leviathan et al., arXiv 2211.17192), with the draft's most likely tokens, whose
/// acceptance is that the sampler draws them.
///
/// Only the model's thread uses it.
final class DraftModel {
  private let decoder: Decoder
  /// Of the model that proves the guesses; the two may be padded to different numbers.
  private let vocabularySize: Int
  /// Past prompts and answers, as the draft model has read them.
  private let prefixes: PrefixTree
  private let pricing: DraftPricing
  /// Passes of the model that proves.
  private var provingTimes = PassTimes()
  private var guessingTimes = PassTimes()
  /// Seconds a row, where the draft model reads many at a time; as long as it has read nothing, by its size beside the
  /// other's.
  private var readingRow: Double?
  private let relativeSize: Double
  /// What the last pass gave each segment.
  private let choices: UnsafeMutableBufferPointer<Choice>

  /// Tokens that the draft model reads at most between two passes of the other, so that no stream stands still.
  private static let readingRows = 64
  /// A pass of so many rows is still one of guessing.
  private static let guessingRows = Activations.rowGroup
  /// Reading a text for the first time may take this share of the time that its answer took until then: at the worst
  /// that much is lost, where the answer ends just then.
  private static let readingShare = 0.25
  /// What the last reading says of the next one's price, beside those before.
  private static let readingDecay = 0.2

  private struct Choice {
    var token: Int32 = 0
    var probability = 0.0
  }

  /// A sequence that is guessed for in this pass.
  private struct Guesser {
    let sequence: RunningSequence
    let draft: ModelDraft
    /// Guesses at most.
    let limit: Int
    let isTrial: Bool
    var guess: [Int32] = []
    var probabilities: [Double] = []
    /// That all guesses so far are right.
    var chance = 1.0

    var mustTry: Bool { isTrial && guess.isEmpty }
  }

  /// - Parameters:
  ///   - proving: The model that proves the guesses.
  ///   - sequenceLimit: Sequences that are guessed for in a pass, at most.
  ///   - prefixCacheBytes: What past texts may take of the draft model's key-value memory.
  init(
    _ decoder: Decoder, for proving: Decoder, sequenceLimit: Int, prefixCacheBytes: Int,
    pricing: DraftPricing
  ) {
    self.decoder = decoder
    vocabularySize = proving.configuration.vocabularySize
    relativeSize = Double(decoder.weightBytes) / Double(max(1, proving.weightBytes))
    self.pricing = pricing
    prefixes = SnapshotPlan.tree(for: decoder, bytes: prefixCacheBytes)
    choices = .allocate(capacity: sequenceLimit)
    choices.initialize(repeating: Choice())
  }

  deinit { choices.deallocate() }

  /// Notes how long the model took that proves, in a pass of such rows alone.
  func noteProving(rows: Int, seconds: Double) { provingTimes.note(rows: rows, seconds: seconds) }

  /// Guesses for sequences as far as it pays, and gives each its draft.
  ///
  /// - Parameters:
  ///   - candidates: Sequences and how many tokens may be guessed for each.
  ///   - rows: Rows of the pass without these guesses.
  ///   - tokens: Tokens that this pass brings without them.
  func guess(
    for candidates: [(sequence: RunningSequence, limit: Int)], rows: Int, tokens: Int
  ) {
    guard provingTimes.isKnown || pricing == .free else { return }
    var gain = Double(tokens)
    var cost = provingTimes.pass(rows: rows)
    /// Whether what brings a token by this chance is cheaper, a token, than what the pass brings without it.
    func pays(_ chance: Double, _ price: Double) -> Bool {
      pricing == .free || chance * cost > price * gain
    }
    var budget = Self.readingRows
    var active = candidates.prefix(choices.count).compactMap { candidate in
      prepare(candidate.sequence, limit: candidate.limit, &budget)
    }
    var finished: [Guesser] = []
    while !active.isEmpty {
      let step = guessingTimes.pass(rows: active.count)
      let share = step / Double(active.count) + provingTimes.row
      let goesOn = { (guesser: Guesser) in
        guesser.mustTry || pays(guesser.chance * guesser.draft.odds.yield, share)
      }
      finished += active.filter { !goesOn($0) }
      let (ready, failed) = advance(active.filter(goesOn))
      finished += failed
      if !ready.isEmpty { cost += step }
      active = []
      for (var guesser, choice) in zip(ready, choices) {
        let own = guesser.draft.odds.chance(probability: choice.probability)
        let chance = guesser.chance * own
        let isWorthIt = pays(chance, provingTimes.row)
        guesser.draft.odds.noteGuess(chance: isWorthIt ? own : 0)
        guard choice.token < vocabularySize, isWorthIt || guesser.mustTry else {
          finished.append(guesser)
          continue
        }
        guesser.guess.append(choice.token)
        guesser.probabilities.append(choice.probability)
        guesser.chance = chance
        gain += chance
        cost += provingTimes.row
        if guesser.guess.count < guesser.limit {
          active.append(guesser)
        } else {
          finished.append(guesser)
        }
      }
    }
    for guesser in finished { hand(guesser) }
  }

  private func hand(_ guesser: Guesser) {
    guard !guesser.guess.isEmpty else { return guesser.draft.notePass() }
    guesser.draft.probabilities = guesser.probabilities
    guesser.draft.wasTrial = guesser.isTrial
    guesser.sequence.take(modelDraft: guesser.guess)
  }

  /// Brings the draft model's memory of a sequence up to its last token but for few; nil where that takes
  /// more than this pass, or doesn't pay yet.
  private func prepare(_ sequence: RunningSequence, limit: Int, _ budget: inout Int) -> Guesser? {
    let tokens = sequence.tokens
    let limit = min(limit, decoder.contextLength - tokens.count)
    guard limit > 0 else { return nil }
    let draft = sequence.modelDraft ?? begin(sequence)
    draft.keep(tokens)
    let unread = tokens[draft.known.count...]
    guard unread.allSatisfy({ $0 < decoder.configuration.vocabularySize }) else { return nil }
    if unread.count > Self.guessingRows {
      guard isWorthReading(unread.count, sequence) else { return nil }
      let rows = min(budget, unread.count - 1)
      budget -= rows
      guard rows > 0, reserve(draft, positions: draft.known.count + rows, for: sequence),
        feed([(draft, unread.prefix(rows))]),
        unread.count - rows <= Self.guessingRows
      else { return nil }
    }
    return Guesser(
      sequence: sequence, draft: draft, limit: limit, isTrial: draft.isTrial)
  }

  private func begin(_ sequence: RunningSequence) -> ModelDraft {
    let blocks = prefixes.longestPrefix(of: sequence.tokens)
    let cache = decoder.makeCache(adopting: blocks)
    let draft = ModelDraft(cache: cache, known: Array(sequence.tokens.prefix(cache.count)))
    sequence.modelDraft = draft
    return draft
  }

  /// Whether the answer has taken so long that reading so many tokens is little beside it: who knows not how long
  /// an answer will be does well to expect as much again.
  private func isWorthReading(_ rows: Int, _ sequence: RunningSequence) -> Bool {
    if pricing == .free { return true }
    let row = readingRow ?? relativeSize * provingTimes.row
    let answered = Double(sequence.answeredCount) * provingTimes.pass(rows: 1)
    return Double(rows) * row <= Self.readingShare * answered
  }

  /// One pass for all who guess: those whose choices it has, in the order of `choices`, and those for whom there is no
  /// memory.
  private func advance(_ active: [Guesser]) -> (ready: [Guesser], failed: [Guesser]) {
    var ready: [Guesser] = []
    var failed: [Guesser] = []
    for guesser in active {
      let positions = guesser.sequence.tokens.count + guesser.guess.count
      if reserve(guesser.draft, positions: positions, for: guesser.sequence) {
        ready.append(guesser)
      } else {
        failed.append(guesser)
      }
    }
    let rows = ready.map { guesser in
      (guesser.draft, (guesser.sequence.tokens + guesser.guess)[guesser.draft.known.count...])
    }
    guard !rows.isEmpty, feed(rows) else { return ([], failed + ready) }
    return (ready, failed)
  }

  private func reserve(_ draft: ModelDraft, positions: Int, for sequence: RunningSequence) -> Bool {
    while true {
      do {
        try draft.cache.reserve(positions: positions)
        return true
      } catch {
        if prefixes.evictOldest() { continue }
        // Others need it too.
        sequence.modelDraft = nil
        return false
      }
    }
  }

  /// Reads tokens of some sequences; false where there is no memory for them.
  private func feed(_ rows: [(draft: ModelDraft, tokens: ArraySlice<Int32>)]) -> Bool {
    let count = rows.reduce(0) { $0 + $1.tokens.count }
    let segments = rows.map { BatchSegment(cache: $0.draft.cache, tokens: $0.tokens) }
    let start = MonotonicClock.nanoseconds()
    do {
      try decoder.forward(segments) { [choices] row in
        let logits = UnsafeBufferPointer(row.logits)
        let token = LogitDistribution.argmax(logits)
        let distribution = LogitDistribution(logits: logits, topCount: 0)
        choices[row.segment] = Choice(
          token: token,
          probability: Double(Exponential.of(distribution.logprob(of: logits[Int(token)]))))
      }
    } catch {
      return false
    }
    let seconds = MonotonicClock.seconds(since: start)
    if count <= Self.guessingRows {
      guessingTimes.note(rows: count, seconds: seconds)
    } else {
      let row = seconds / Double(count)
      readingRow = readingRow.map { $0 + Self.readingDecay * (row - $0) } ?? row
    }
    for (draft, tokens) in rows { draft.known += tokens }
    return true
  }

  /// Keeps what the draft model has read of a sequence for requests to come.
  func remember(_ sequence: RunningSequence) {
    guard let draft = sequence.modelDraft else { return }
    draft.keep(sequence.tokens)
    prefixes.insert(draft.known[...], blocks: draft.cache.fullBlocks)
  }

  /// Gives memory that no sequence uses back to the system.
  func trim() { decoder.pagePool.trim() }

  func removeAll() { prefixes.removeAll() }
}
