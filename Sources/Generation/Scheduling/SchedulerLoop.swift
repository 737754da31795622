import Kernels
import Transformer

/// What the model's thread does: takes jobs, composes a pass of whatever can go on, runs it, and
/// hands the results out, until it is told to end.
///
/// Each pass holds one row for every sequence that decodes, and rows of prompts that are being
/// read. A long prompt is read in several passes, so that it does not hold up the others' tokens.
final class SchedulerLoop {
  private let decoder: Decoder
  private let inbox: Inbox
  private let options: SchedulerOptions
  private let endTokens: Set<Int32>
  private let makeText: @Sendable () -> any TokenTextDecoder
  /// In order of submission.
  private var waiting: [Job] = []
  /// Gave their memory up; they go on before new ones are begun.
  private var preempted: [RunningSequence] = []
  /// In order of admission.
  private var running: [RunningSequence] = []
  private var statistics = SchedulerStatistics()
  /// Past prompts and answers, for requests that begin alike.
  private let prefixes: PrefixTree
  /// A smaller model that guesses for this one; nil where none was given.
  private let draftModel: DraftModel?
  /// Logits of sequences with drafts; made when one first has. // (provedRows, vocabulary)
  private var draftLogits: FloatBuffer?

  /// Drafts are made while so few sequences decode: of many, a pass costs what arithmetic costs, and
  /// each row as much as the one before.
  private static let draftingSequences = 4
  /// Rows of decoding sequences and their drafts, which together are one register tile's.
  private static let provedRows = Activations.rowGroup
  /// Tokens that must have stood before to be looked up where a draft model could be asked.
  private static let sureMatch = 4

  init(
    decoder: Decoder, draft: Decoder?, inbox: Inbox, options: SchedulerOptions,
    endTokens: Set<Int32>, makeText: @escaping @Sendable () -> any TokenTextDecoder
  ) {
    self.decoder = decoder
    self.inbox = inbox
    self.options = options
    self.endTokens = endTokens
    self.makeText = makeText
    prefixes = SnapshotPlan.tree(for: decoder, bytes: options.prefixCacheBytes)
    draftModel = draft.map {
      DraftModel(
        $0, for: decoder, sequenceLimit: Self.draftingSequences,
        prefixCacheBytes: options.prefixCacheBytes, pricing: options.draftPricing)
    }
  }

  /// Runs until the inbox says that it is over.
  func run() {
    while true {
      let idle = running.isEmpty && waiting.isEmpty && preempted.isEmpty
      if idle {
        decoder.pagePool.trim()
        draftModel?.trim()
      }
      let (jobs, ending) = inbox.take(idle: idle)
      waiting += jobs
      if ending == .cancel { failAll(.shutDown) }
      dropCancelled()
      admit()
      // Before the step, so that who has begun is not counted as waiting for as long as that takes.
      publish()
      if running.isEmpty, waiting.isEmpty, preempted.isEmpty {
        if ending != nil { break }
        continue
      }
      step()
      publish()
    }
    prefixes.removeAll()
    draftModel?.removeAll()
    inbox.markEnded()
  }

  // MARK: - Admission

  /// Begins waiting jobs while there is room for their whole prompt.
  private func admit() {
    let pool = decoder.pagePool
    var promised = running.reduce(0) {
      $0 + $1.cache.missingBytes(forPositions: $1.tokens.count + 1)
    }
    func fits(_ positions: Int, bytesPerBlock: Int, adopted: Int = 0) -> Bool {
      let needed =
        (PagePool.blocks(forPositions: positions + 1) - adopted) * bytesPerBlock
        + pool.bytesPerSequence
      let missing = promised + needed - pool.availableBytes
      // What is kept of earlier texts goes only where that makes the room: a request that must wait
      // for others anyway would empty the tree at every step.
      guard missing <= 0 || running.isEmpty || missing <= prefixes.unusedBytes else { return false }
      while promised + needed > pool.availableBytes, prefixes.evictOldest() {}
      guard promised + needed <= pool.availableBytes || running.isEmpty else { return false }
      promised += needed
      return true
    }
    while running.count < options.runningLimit, let sequence = preempted.first {
      guard fits(sequence.tokens.count, bytesPerBlock: sequence.cache.bytesPerBlock) else { return }
      preempted.removeFirst()
      running.append(sequence)
    }
    while running.count < options.runningLimit, let job = waiting.first {
      // Held from here on, so that they are not what makes room for the rest.
      let known = knownBlocks(job)
      guard
        fits(
          job.tokens.count, bytesPerBlock: decoder.bytesPerBlock(adapter: job.adapter),
          adopted: known?.blocks.count ?? 0)
      else { return }
      waiting.removeFirst()
      running.append(begin(job, known))
    }
  }

  /// What earlier requests computed of a job's beginning; nil where nothing can be taken over.
  private func knownBlocks(_ job: Job) -> PrefixTree.Match? {
    // Scoring needs the logits of every token, so that nothing can be left out.
    guard case .generation(let request, _) = job.kind,
      decoder.sharesPrefixes(adapter: job.adapter)
    else { return nil }
    return prefixes.longestMatch(
      of: job.prefixKeys(request.promptTokens), in: job.prefixScope)
  }

  private func begin(_ job: Job, _ known: PrefixTree.Match?) -> RunningSequence {
    var cache = decoder.makeCache(adapter: job.adapter)
    if let known {
      cache = decoder.makeCache(adopting: known.blocks, snapshot: known.snapshot)
      statistics.reusedPromptTokens += UInt64(cache.count)
    }
    let role: RunningSequence.Role =
      switch job.kind {
      case .generation(let request, let continuation):
        .generation(
          GenerationState(
            request: request, reusedCount: cache.count, continuation: continuation,
            submitted: job.submitted,
            endTokens: endTokens, contextLength: decoder.contextLength, text: makeText()))
      case .scoring(let tokens, let alternatives, _, _):
        .scoring(ScoringState(count: tokens.count, alternatives: alternatives))
      }
    // A guess must not be counted among the tokens that gates chose for, nor seen by smoothed ones.
    let isGated = !decoder.gates.isEmpty || !(job.adapter?.allGates.isEmpty ?? true)
    // A wrong one would have to be taken back out of a state, which can't be.
    let drafts = options.draftTokens > 0 && !isGated && !decoder.isRecurrent
    return RunningSequence(
      job: job, tokens: job.tokens, cache: cache, role: role,
      pace: drafts ? DraftPace(limit: options.draftTokens) : nil,
      snapshots: decoder.isRecurrent && prefixes.blockLimit > 0
        ? known.map { SnapshotPlan(promptCount: job.tokens.count, $0) } : nil)
  }

  private func dropCancelled() {
    // Asked once a job: one that is cancelled in between must not go without an end.
    func ends(_ job: Job) -> Bool {
      guard job.isCancelled else { return false }
      job.fail(.cancelled)
      return true
    }
    waiting.removeAll(where: ends)
    preempted.removeAll { ends($0.job) }
    running.removeAll { ends($0.job) }
  }

  private func failAll(_ error: GenerationError) {
    waiting.forEach { $0.fail(error) }
    (running + preempted).forEach { $0.job.fail(error) }
    waiting = []
    running = []
    preempted = []
  }

  // MARK: - One pass

  private func step() {
    let chosen = groupedByAdapter(compose())
    guard !chosen.isEmpty else { return }
    let now = MonotonicClock.nanoseconds()
    for (sequence, _) in chosen {
      if case .generation(let state) = sequence.role { state.willPrefill(now: now) }
    }
    let segments = chosen.map { $0.sequence.segment(rows: $0.rows) }
    let rows = chosen.reduce(0) { $0 + $1.rows }
    let onlyAnswers = chosen.allSatisfy { $0.sequence.isAnswering }
    do {
      try decoder.forward(segments) { row in
        chosen[row.segment].sequence.receive(logits: row.logits, position: row.position)
      }
    } catch {
      // Requests were checked when they came: this is memory, or a mistake of ours.
      for (sequence, _) in chosen { sequence.job.fail(.model("\(error)")) }
      remove(chosen.map(\.sequence))
      return
    }
    statistics.steps += 1
    if let draftModel, onlyAnswers, rows <= Self.provedRows {
      draftModel.noteProving(rows: rows, seconds: MonotonicClock.seconds(since: now))
    }
    for (index, choice) in chosen.enumerated() {
      guard let gates = decoder.gateStatistics(segment: index) else { continue }
      switch choice.sequence.role {
      case .generation(let state): state.record(gates)
      case .scoring(let state): state.record(gates)
      }
    }
    finishStep(chosen)
  }

  /// Puts sequences with the same adapter beside each other: its weights are then read once.
  private func groupedByAdapter(
    _ chosen: [(sequence: RunningSequence, rows: Int)]
  ) -> [(sequence: RunningSequence, rows: Int)] {
    guard chosen.contains(where: { $0.sequence.job.adapter != nil }) else { return chosen }
    func key(_ choice: (sequence: RunningSequence, rows: Int)) -> UInt64 {
      choice.sequence.job.adapter?.identity ?? 0
    }
    return chosen.sorted { key($0) < key($1) }
  }

  /// Chooses sequences and how many of their tokens the next pass takes, and reserves the memory.
  private func compose() -> [(sequence: RunningSequence, rows: Int)] {
    for sequence in running { sequence.dropDraft() }
    var chosen: [(sequence: RunningSequence, rows: Int)] = []
    var rowsLeft = decoder.maximumRows
    // Room for the oldest prompt's image, or sequences that decode could keep it waiting for as long as others follow.
    let kept = running.first { $0.pendingCount > 1 }?.rowsOfNextImage ?? 0
    for sequence in running where sequence.pendingCount == 1 && rowsLeft > kept {
      guard reserve(sequence, rows: 1) else { continue }
      chosen.append((sequence, 1))
      rowsLeft -= 1
    }
    var room = rowsLeft
    if !chosen.isEmpty { rowsLeft = min(rowsLeft, options.prefillRowsWhileDecoding) }
    for (sequence, share) in prefillShares(rows: rowsLeft) where room > 0 {
      let wanted = sequence.rowsToSnapshot(atMost: min(share, room))
      let rows = sequence.wholeImages(wanted, room: room)
      guard rows > 0, reserve(sequence, rows: rows) else { continue }
      chosen.append((sequence, rows))
      room -= rows
    }
    // A reservation may have preempted a sequence that was chosen before.
    chosen = chosen.filter { choice in running.contains { $0 === choice.sequence } }
    addDrafts(to: &chosen)
    return chosen
  }

  /// Adds the rows of guessed tokens, where they pay and where there is room for them.
  private func addDrafts(to chosen: inout [(sequence: RunningSequence, rows: Int)]) {
    guard options.draftTokens > 0 else { return }
    let drafting = chosen.indices.filter { chosen[$0].sequence.mayDraft }
    guard (1...Self.draftingSequences).contains(drafting.count) else { return }
    let rows = chosen.reduce(0) { $0 + $1.rows }
    var left = min(Self.provedRows - drafting.count, decoder.maximumRows - rows)
    let shortest = draftModel == nil ? 0 : Self.sureMatch
    for (place, index) in drafting.enumerated() where left > 0 {
      let sequence = chosen[index].sequence
      let share = (left + drafting.count - place - 1) / (drafting.count - place)
      sequence.lookUpDraft(
        atMost: min(share, decoder.contextLength - sequence.tokens.count), matching: shortest)
      left -= sequence.draft.count
    }
    // Beside prompts that are read, rows cost what arithmetic costs.
    if rows <= Self.provedRows {
      askDraftModel(for: drafting.map { chosen[$0].sequence }, rows, left)
    }
    var nextRow = 0
    for index in drafting {
      let sequence = chosen[index].sequence
      let count = sequence.draft.count
      guard count > 0 else { continue }
      guard let logits = logitRows(nextRow..<nextRow + count + 1) else {
        sequence.dropDraft()
        continue
      }
      sequence.keepLogits(in: logits)
      chosen[index].rows += count
      nextRow += count + 1
    }
  }

  /// - Parameter left: Rows that guesses may have together.
  private func askDraftModel(for drafting: [RunningSequence], _ rows: Int, _ left: Int) {
    guard let draftModel else { return }
    let asking = drafting.filter(\.draft.isEmpty)
    guard !asking.isEmpty, left >= asking.count else { return }
    let lookedUp = drafting.reduce(0) { $0 + $1.draft.count }
    let share = min(left / asking.count, options.draftTokens)
    draftModel.guess(
      for: asking.map { ($0, min(share, decoder.contextLength - $0.tokens.count)) },
      rows: rows + lookedUp, tokens: drafting.count + lookedUp)
  }

  private func logitRows(_ rows: Range<Int>) -> UnsafeMutableBufferPointer<Float>? {
    let vocabulary = decoder.configuration.vocabularySize
    if draftLogits == nil {
      draftLogits = try? FloatBuffer(rows: Self.provedRows, width: vocabulary)
    }
    guard let draftLogits, rows.upperBound <= draftLogits.rows else { return nil }
    return UnsafeMutableBufferPointer(
      start: draftLogits.row(rows.lowerBound), count: rows.count * vocabulary)
  }

  /// Shares rows out to sequences that read their prompts: half to the oldest, so that it gets
  /// on, the rest to the shortest, so that a short prompt need not wait for a long one.
  private func prefillShares(rows: Int) -> [(sequence: RunningSequence, rows: Int)] {
    let reading = running.filter { $0.pendingCount > 1 }
    guard rows > 0, let oldest = reading.first else { return [] }
    var shares: [(sequence: RunningSequence, rows: Int)] = []
    let others = reading.dropFirst().sorted { $0.pendingCount < $1.pendingCount }
    let wanted = others.reduce(0) { $0 + $1.pendingCount }
    let first = min(oldest.pendingCount, max((rows + 1) / 2, rows - wanted))
    shares.append((oldest, first))
    var left = rows - first
    for sequence in others where left > 0 {
      let share = min(sequence.pendingCount, left)
      shares.append((sequence, share))
      left -= share
    }
    return shares
  }

  /// Reserves room for the next rows. If there is none, the youngest sequence gives its memory
  /// up; false if that is this one.
  private func reserve(_ sequence: RunningSequence, rows: Int) -> Bool {
    while running.contains(where: { $0 === sequence }) {
      do {
        try sequence.cache.reserve(positions: sequence.cache.count + rows)
        return true
      } catch {
        if prefixes.evictOldest() || dropSnapshots() { continue }
        guard let youngest = running.last, running.count > 1 else {
          endForMemory(sequence)
          return false
        }
        running.removeLast()
        youngest.cache.truncate(to: 0)
        preempted.insert(youngest, at: 0)
        statistics.preemptions += 1
      }
    }
    return false
  }

  /// Gives up what running sequences have kept for requests to come; false if that is nothing.
  private func dropSnapshots() -> Bool {
    let holding = running.filter { $0.snapshots?.taken.isEmpty == false }
    for sequence in holding { sequence.snapshots?.taken = [] }
    return !holding.isEmpty
  }

  /// Ends a sequence that alone fills all memory there is.
  private func endForMemory(_ sequence: RunningSequence) {
    switch sequence.role {
    case .generation(let state) where sequence.tokens.count > state.promptCount:
      state.finish(.memoryLimit, now: MonotonicClock.nanoseconds())
    default:
      let pool = decoder.pagePool
      sequence.job.fail(
        .keyValueMemoryTooSmall(
          neededBytes: PagePool.blocks(forPositions: sequence.tokens.count)
            * sequence.cache.bytesPerBlock + pool.bytesPerSequence,
          limitBytes: pool.limitBytes))
    }
    remove([sequence])
  }

  private func finishStep(_ chosen: [(sequence: RunningSequence, rows: Int)]) {
    let now = MonotonicClock.nanoseconds()
    var finished: [RunningSequence] = []
    for (sequence, rows) in chosen {
      sequence.takeSnapshot()
      switch sequence.role {
      case .generation(let state):
        if sequence.tokens.count == state.promptCount {
          statistics.promptTokens += UInt64(rows)
        }
        if !sequence.draft.isEmpty {
          takeDraft(of: sequence, state, now: now, &finished)
          continue
        }
        guard sequence.pendingCount == 0 else { continue }
        statistics.completionTokens += 1
        if sequence.tokens.count == state.promptCount { remember(sequence) }
        if let token = state.takeSampled(now: now) {
          sequence.tokens.append(token)
        } else {
          remember(sequence)
          finished.append(sequence)
        }
      case .scoring(let state):
        statistics.promptTokens += UInt64(rows)
        guard sequence.pendingCount == 0 else { continue }
        if case .scoring(_, _, _, let continuation) = sequence.job.kind {
          continuation.resume(returning: state.finish())
        }
        finished.append(sequence)
      }
    }
    remove(finished)
  }

  private func takeDraft(
    of sequence: RunningSequence, _ state: GenerationState, now: UInt64,
    _ finished: inout [RunningSequence]
  ) {
    let drafted = sequence.draft.count
    let (sampled, ended) = sequence.takeDraft(state, now: now)
    statistics.completionTokens += UInt64(sampled)
    statistics.draftedTokens += UInt64(drafted)
    statistics.acceptedDraftTokens += UInt64(max(0, sampled - 1))
    guard ended else { return }
    remember(sequence)
    finished.append(sequence)
  }

  /// Keeps a sequence's full blocks for requests to come.
  private func remember(_ sequence: RunningSequence) {
    draftModel?.remember(sequence)
    guard decoder.sharesPrefixes(adapter: sequence.job.adapter) else { return }
    let keys = sequence.job.prefixKeys(sequence.tokens.prefix(sequence.cache.count))
    prefixes.insert(
      keys[...], blocks: sequence.cache.fullBlocks,
      snapshots: sequence.snapshots?.taken ?? [], in: sequence.job.prefixScope)
    sequence.snapshots?.taken = []
  }

  private func remove(_ finished: [RunningSequence]) {
    guard !finished.isEmpty else { return }
    running.removeAll { sequence in finished.contains { $0 === sequence } }
  }

  private func publish() {
    statistics.running = running.count
    statistics.waiting = waiting.count + preempted.count
    statistics.keyValueBytes = decoder.pagePool.usedBytes
    statistics.keyValueLimitBytes = decoder.pagePool.limitBytes
    inbox.publish(statistics)
  }
}
