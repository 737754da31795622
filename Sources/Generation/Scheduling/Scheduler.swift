import Foundation
import Tokenization
import Transformer

/// Runs one model's requests together, on a thread of its own.
///
/// ```swift
/// let scheduler = Scheduler(decoder: decoder, tokenizer: tokenizer)
/// let prompt = tokenizer.encode("Once", addSpecial: true, parseSpecial: false)
/// let stream = try scheduler.generate(
///   GenerationRequest(promptTokens: prompt, parameters: SamplingParameters(maxTokens: 32)))
/// for try await event in stream {
///   if case .text(let piece, _) = event { print(piece, terminator: "") }
/// }
/// ```
///
/// New requests join the running ones at the next token; each step reads the weights once for all
/// of them. The thread sleeps while there is nothing to do. Letting go of the scheduler cancels
/// what still runs.
package final class Scheduler: Sendable {
  private let inbox: Inbox
  private let adapterTarget: AdapterTarget
  /// The token-level gates of the model's layers.
  private let gates: [Gate]
  private let vocabularySize: Int
  private let width: Int
  /// Rows that a pass holds.
  private let maximumRows: Int
  /// Positions that prompt and answer may take together.
  package let contextLength: Int
  private let keyValueLimitBytes: Int
  /// Without an adapter.
  private let bytesPerBlock: Int
  /// Where adapters are merged for requests: one after the other, so that clients who ask for ever
  /// other tasks take a thread at most, and neither the model's nor one that serves them all.
  private let merging = DispatchQueue(label: "thalamus.merging")

  package convenience init(
    decoder: Decoder, tokenizer: any Tokenizer, draft: Decoder? = nil,
    options: SchedulerOptions = SchedulerOptions()
  ) {
    self.init(
      decoder: decoder, endTokens: tokenizer.endTokens, draft: draft, options: options
    ) {
      StreamingDetokenizer(tokenizer)
    }
  }

  /// - Parameters:
  ///   - endTokens: Tokens that end an answer.
  ///   - draft: A smaller model of the same vocabulary that guesses ahead; this scheduler's alone, and one whose
  ///     sequences can be cut back (`Decoder.isRecurrent` is false).
  ///   - makeText: Gives each sequence what turns its tokens into text.
  package init(
    decoder: Decoder, endTokens: Set<Int32>, draft: Decoder? = nil,
    options: SchedulerOptions = SchedulerOptions(),
    makeText: @escaping @Sendable () -> any TokenTextDecoder
  ) {
    let inbox = Inbox(limit: options.waitingLimit)
    self.inbox = inbox
    adapterTarget = decoder.adapterTarget
    gates = decoder.gates
    vocabularySize = decoder.configuration.vocabularySize
    width = decoder.configuration.imageRowWidth
    maximumRows = decoder.maximumRows
    contextLength = decoder.contextLength
    keyValueLimitBytes = decoder.pagePool.limitBytes
    bytesPerBlock = decoder.bytesPerBlock()
    let thread = Thread {
      SchedulerLoop(
        decoder: decoder, draft: draft, inbox: inbox, options: options, endTokens: endTokens,
        makeText: makeText
      ).run()
    }
    thread.name = "thalamus.model"
    thread.stackSize = 4 << 20
    thread.start()
  }

  deinit { inbox.end(.cancel) }

  /// Begins a request. Throws at once if it can never run, or if too many wait.
  package func generate(
    _ request: GenerationRequest
  ) throws(GenerationError) -> GenerationStream {
    try request.parameters.validate(vocabularySize: vocabularySize)
    try check(request.promptTokens, limit: contextLength - 1, request.adapter)
    try check(request.adapter, request.gating)
    guard
      EmbeddingSpan.areValid(
        request.embeddings, width: width, before: request.promptTokens.count)
    else {
      throw .invalidParameter(
        name: "embeddings", value: "not this model's, or not in order within the prompt",
        expected: "rows of \(width) numbers")
    }
    // It goes through one pass, and would wait for ever for one with room.
    if let large = request.embeddings.first(where: {
      $0.rowsSeeAll && $0.range.count > maximumRows
    }) {
      throw .invalidParameter(
        name: "embeddings", value: "\(large.range.count) rows that see each other",
        expected: "at most \(maximumRows), which go through one pass")
    }
    // Unbounded, so that a slow consumer never holds up the thread; an answer is small.
    let (stream, continuation) = GenerationStream.makeStream(bufferingPolicy: .unbounded)
    let holder = JobHolder()
    continuation.onTermination = { [inbox] reason in
      guard case .cancelled = reason else { return }
      holder.cancel()
      inbox.wake()
    }
    let refusal = submit(request.adapter, request.gating, holder) { adapter, submitted in
      var request = request
      request.adapter = adapter
      return Job(kind: .generation(request, continuation), submitted: submitted)
    }
    if let refusal { throw refusal }
    return stream
  }

  /// The log-probability of each token given those before it, in one window.
  ///
  /// - Parameter alternatives: How many of the most probable tokens at each place are told too.
  package func score(
    _ tokens: [Int32], adapter: Adapter? = nil, alternatives: Int = 0
  ) async throws -> TokenScores {
    try check(tokens, limit: contextLength, adapter)
    try check(adapter, GateRequest())
    let holder = JobHolder()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let refusal = submit(adapter, GateRequest(), holder) { adapter, submitted in
          Job(
            kind: .scoring(tokens, alternatives: alternatives, adapter, continuation),
            submitted: submitted)
        }
        if let refusal { continuation.resume(throwing: refusal) }
      }
    } onCancel: {
      holder.cancel()
      inbox.wake()
    }
  }

  /// How badly the model predicts `answer` after `prompt`. Both together must fit the context.
  /// - Parameter answerBytes: UTF-8 bytes of the answer's text.
  package func lossOfContinuation(
    prompt: [Int32], answer: [Int32], answerBytes: Int, adapter: Adapter? = nil
  ) async throws -> ContinuationLoss {
    let scores = try await score(prompt + answer, adapter: adapter)
    let loss = scores.logprobs.dropFirst(prompt.count).reduce(0) { $0 - Double($1 ?? 0) }
    return ContinuationLoss(
      lossNats: loss, answerTokens: answer.count, answerBytes: answerBytes)
  }

  /// What runs and waits now, and totals since the start.
  package var statistics: SchedulerStatistics { inbox.statistics }

  /// Refuses new requests, and returns when the thread has ended.
  /// - Parameter finishing: Whether what runs and waits is finished first, or stopped.
  package func shutDown(finishing: Bool = true) async {
    inbox.end(finishing ? .finish : .cancel)
    await inbox.waitForEnd()
  }

  /// Hands over the job that `make` makes with the adapter that the request runs with; gives the
  /// reason if it is refused at once, and then has made none. An adapter that has to be merged for
  /// the request is merged elsewhere, and the job follows.
  private func submit(
    _ adapter: Adapter?, _ gating: GateRequest, _ holder: JobHolder,
    make: @escaping @Sendable (_ adapter: Adapter?, _ submitted: UInt64) -> Job
  ) -> GenerationError? {
    let submitted = MonotonicClock.nanoseconds()
    if let refusal = inbox.announce() { return refusal }
    let known = adapter?.known(for: gating)
    guard let adapter, known == nil else {
      let job = make(known, submitted)
      holder.set(job)
      inbox.submitAnnounced(job)
      return nil
    }
    merging.async { [inbox] in
      guard !holder.isCancelled else {
        return inbox.withdrawAnnounced(make(adapter, submitted), .cancelled)
      }
      do {
        let job = make(try adapter.resolved(for: gating), submitted)
        holder.set(job)
        inbox.submitAnnounced(job)
      } catch {
        // What the request asks was checked: this is memory, or adapters that don't fit each other.
        inbox.withdrawAnnounced(
          make(adapter, submitted), .model("the adapter's experts can't be merged: \(error)"))
      }
    }
    return nil
  }

  /// Throws if no request of this model can have this adapter, or ask this of its gates.
  private func check(_ adapter: Adapter?, _ gating: GateRequest) throws(GenerationError) {
    guard adapter?.isMade(for: adapterTarget) ?? true else {
      throw .invalidParameter(
        name: "adapter", value: "made for another model", expected: "one of this model")
    }
    do {
      try (gates + (adapter?.allGates ?? [])).validate(gating)
    } catch .invalidValue(let name, let value, let expected) {
      throw .invalidParameter(name: name, value: value, expected: expected)
    } catch {
      throw .model("\(error)")
    }
  }

  private func check(
    _ tokens: [Int32], limit: Int, _ adapter: Adapter?
  ) throws(GenerationError) {
    guard !tokens.isEmpty else { throw .emptyPrompt }
    guard tokens.count <= limit else {
      throw .promptTooLong(promptTokens: tokens.count, contextLength: contextLength)
    }
    for token in tokens where token < 0 || Int(token) >= vocabularySize {
      throw .tokenOutOfRange(token: token, vocabularySize: vocabularySize)
    }
    let needed = PagePool.blocks(forPositions: tokens.count)
    let bytesPerBlock = bytesPerBlock + (adapter?.historyBytesPerBlock ?? 0)
    guard needed <= keyValueLimitBytes / bytesPerBlock else {
      throw .keyValueMemoryTooSmall(
        neededBytes: needed * bytesPerBlock, limitBytes: keyValueLimitBytes)
    }
  }
}

extension StreamingDetokenizer: TokenTextDecoder {}
