import Transformer

/// A job that the model's thread works on: tokens, of which the cache holds the first so many.
///
/// Only the model's thread uses it; `receive` is called by pool threads within a pass, for a sequence
/// that decodes without a draft by one.
final class RunningSequence: @unchecked Sendable {
  /// What happens with the logits.
  enum Role {
    case generation(GenerationState)
    case scoring(ScoringState)
  }

  let job: Job
  let cache: KVCache
  let role: Role
  /// The prompt and what was generated so far.
  var tokens: [Int32]
  /// Guessed tokens that the next pass proves; empty for most.
  private(set) var draft: [Int32] = []
  /// How long guesses may be; nil where there are none.
  private var pace: DraftPace?
  /// What a draft model has of it; nil until one first guesses for it, and where that gave its memory up.
  var modelDraft: ModelDraft?
  /// Whether the draft is a model's, and not looked up.
  private var isModelDraft = false
  /// Where the logits of a pass with a draft are kept until they are sampled from in order: those of
  /// the pending token, then those of each guessed one. // (1 + draft, vocabulary)
  private var draftLogits: UnsafeMutableBufferPointer<Float>?

  /// Where what recurrent layers keep of it is to be copied; nil where that is of no use.
  var snapshots: SnapshotPlan?

  init(
    job: Job, tokens: [Int32], cache: KVCache, role: Role, pace: DraftPace? = nil,
    snapshots: SnapshotPlan? = nil
  ) {
    self.job = job
    self.tokens = tokens
    self.cache = cache
    self.role = role
    self.pace = pace
    self.snapshots = snapshots
  }

  /// Tokens that are not in the cache yet. A sequence that decodes has one.
  var pendingCount: Int { tokens.count - cache.count }

  /// The segment that takes the next `rows` pending tokens.
  func segment(rows: Int) -> BatchSegment {
    let end = cache.count + rows
    let selection: LogitSelection =
      switch role {
      case .generation where !draft.isEmpty: .all
      case .generation: end == tokens.count ? .last : .none
      case .scoring: .all
      }
    let next = draft.isEmpty ? tokens[cache.count..<end] : (tokens.suffix(1) + draft)
    return BatchSegment(
      cache: cache, tokens: next, logits: selection, adapter: job.adapter, gating: job.gating,
      embeddings: job.embeddings)
  }

  // MARK: - Images

  /// Rows of a prompt that a pass takes, where at most so many were meant for it: an image whose rows see each other is
  /// not cut. The pass takes all of it if there is room, or else stops before it.
  ///
  /// - Parameter room: Rows that the pass has left.
  /// - Returns: 0 where it has to wait for a pass with more room.
  func wholeImages(_ rows: Int, room: Int) -> Int {
    let end = cache.count + rows
    guard
      let cut = job.embeddings.first(where: {
        $0.rowsSeeAll && $0.positions.contains(end) && $0.position < end
      })
    else { return rows }
    let whole = cut.positions.upperBound - cache.count
    return whole <= room ? whole : max(0, cut.position - cache.count)
  }

  /// Rows that the next pass has to take together, if any: those left of an image whose rows see each other.
  var rowsOfNextImage: Int {
    let next = job.embeddings.first { $0.rowsSeeAll && $0.positions.contains(cache.count) }
    return next.map { $0.positions.upperBound - cache.count } ?? 0
  }

  // MARK: - Snapshots

  /// Of rows that could be taken next, those before a place where a snapshot is to be taken.
  func rowsToSnapshot(atMost rows: Int) -> Int {
    guard let next = snapshots?.nextPlace(after: cache.count) else { return rows }
    return min(rows, next - cache.count)
  }

  /// Takes a snapshot after a pass, if this is a place for one and there is memory.
  func takeSnapshot() {
    guard snapshots?.isPlace(cache.count) ?? false, let taken = try? cache.snapshot() else {
      return
    }
    snapshots?.take(taken)
  }

  // MARK: - Drafts

  /// Tokens of the answer so far.
  var answeredCount: Int {
    guard case .generation(let state) = role else { return 0 }
    return tokens.count - state.promptCount
  }

  /// Whether it answers, with one token to go on from.
  var isAnswering: Bool { pendingCount == 1 && answeredCount > 0 }

  /// Whether it answers, and guesses may be made.
  var mayDraft: Bool { pace != nil && isAnswering }

  func dropDraft() {
    draft.removeAll(keepingCapacity: true)
    draftLogits = nil
    isModelDraft = false
  }

  /// Looks for what followed its last tokens before, and takes at most `limit` of that for a draft.
  /// - Parameter shortest: Tokens that must have stood before at least.
  func lookUpDraft(atMost limit: Int, matching shortest: Int = 0) {
    guard let length = pace?.next(), let match = pace?.shortestMatch else { return }
    take(
      draft: PromptLookup.guess(
        after: tokens, atMost: min(limit, length), matching: max(shortest, match)))
  }

  /// Takes a draft model's guesses.
  func take(modelDraft guess: [Int32]) { isModelDraft = take(draft: guess) }

  /// Takes guesses, if there are any, and memory for their keys and values.
  @discardableResult
  private func take(draft guess: [Int32]) -> Bool {
    guard !guess.isEmpty else { return false }
    do { try cache.reserve(positions: tokens.count + guess.count) } catch { return false }
    draft = guess
    return true
  }

  /// Gives the draft's logits a place. // (1 + draft, vocabulary)
  func keepLogits(in rows: UnsafeMutableBufferPointer<Float>) { draftLogits = rows }

  /// Samples from the logits of a pass with a draft, row after row, for as long as what is sampled is
  /// what was guessed: so each token is drawn from just the logits, and with just the random numbers,
  /// that it would be drawn from without guesses.
  /// - Returns: Tokens that were sampled, and whether the answer ended with the last of them.
  func takeDraft(_ state: GenerationState, now: UInt64) -> (sampled: Int, ended: Bool) {
    guard let draftLogits else { return (0, false) }
    defer { dropDraft() }
    let vocabulary = draftLogits.count / (1 + draft.count)
    state.noteDraft(of: draft.count)
    var ended = false
    var sampled = 0
    for row in 0...draft.count {
      state.sample(
        logits: .init(rebasing: draftLogits[row * vocabulary..<(row + 1) * vocabulary]),
        tokens: tokens)
      sampled += 1
      // Known before the answer can end: its summary has it.
      if row > 0 { state.noteAcceptedDraft() }
      guard let token = state.takeSampled(now: now) else {
        ended = true
        break
      }
      tokens.append(token)
      guard row < draft.count, token == draft[row] else { break }
    }
    // Where it goes on, the last token is not in the cache; what was guessed beyond is forgotten.
    cache.truncate(to: ended ? tokens.count : tokens.count - 1)
    // Each row but the first was sampled from because the guess before it was right.
    if isModelDraft {
      modelDraft?.note(accepted: sampled - 1)
    } else {
      pace?.note(drafted: draft.count, accepted: sampled - 1)
    }
    return (sampled, ended)
  }

  /// Takes the logits after the token at `position`. They may be overwritten.
  func receive(logits: UnsafeMutableBufferPointer<Float>, position: Int) {
    if let draftLogits, let rows = draftLogits.baseAddress, let source = logits.baseAddress {
      let row = rows + (position - cache.count) * logits.count
      row.update(from: source, count: logits.count)
      return
    }
    switch role {
    case .generation(let state): state.sample(logits: logits, tokens: tokens)
    case .scoring(let state):
      state.receive(logits: UnsafeBufferPointer(logits), position: position, tokens: tokens)
    }
  }
}
