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
  /// Positions that prompt and answer may take together.
  package let contextLength: Int
  private let keyValueLimitBytes: Int
  private let bytesPerBlock: Int

  package convenience init(
    decoder: Decoder, tokenizer: any Tokenizer, options: SchedulerOptions = SchedulerOptions()
  ) {
    self.init(decoder: decoder, endTokens: tokenizer.endTokens, options: options) {
      StreamingDetokenizer(tokenizer)
    }
  }

  /// - Parameters:
  ///   - endTokens: Tokens that end an answer.
  ///   - makeText: Gives each sequence what turns its tokens into text.
  package init(
    decoder: Decoder, endTokens: Set<Int32>, options: SchedulerOptions = SchedulerOptions(),
    makeText: @escaping @Sendable () -> any TokenTextDecoder
  ) {
    let inbox = Inbox(limit: options.waitingLimit)
    self.inbox = inbox
    adapterTarget = decoder.adapterTarget
    gates = decoder.gates
    vocabularySize = decoder.configuration.vocabularySize
    contextLength = decoder.contextLength
    keyValueLimitBytes = decoder.pagePool.limitBytes
    bytesPerBlock = decoder.pagePool.bytesPerBlock
    let thread = Thread {
      SchedulerLoop(
        decoder: decoder, inbox: inbox, options: options, endTokens: endTokens,
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
    try check(request.promptTokens, limit: contextLength - 1)
    var request = request
    request.adapter = try checked(request.adapter, request.gating)
    // Unbounded, so that a slow consumer never holds up the thread; an answer is small.
    let (stream, continuation) = GenerationStream.makeStream(bufferingPolicy: .unbounded)
    let job = Job(kind: .generation(request, continuation))
    continuation.onTermination = { [inbox] reason in
      guard case .cancelled = reason else { return }
      job.cancel()
      inbox.wake()
    }
    if let refusal = inbox.submit(job) { throw refusal }
    return stream
  }

  /// The log-probability of each token given those before it, in one window.
  package func score(
    _ tokens: [Int32], adapter: Adapter? = nil
  ) async throws -> TokenScores {
    try check(tokens, limit: contextLength)
    let adapter = try checked(adapter, GateRequest())
    let holder = JobHolder()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let job = Job(kind: .scoring(tokens, adapter, continuation))
        holder.set(job)
        if let refusal = inbox.submit(job) { job.fail(refusal) }
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

  /// The adapter that a request runs with, if it can: one that gates merge for each request is merged
  /// here, and not on the model's thread.
  private func checked(
    _ adapter: Adapter?, _ gating: GateRequest
  ) throws(GenerationError) -> Adapter? {
    guard adapter?.isMade(for: adapterTarget) ?? true else {
      throw .invalidParameter(
        name: "adapter", value: "made for another model", expected: "one of this model")
    }
    do {
      try (gates + (adapter?.allGates ?? [])).validate(gating)
      return try adapter?.resolved(for: gating)
    } catch .invalidValue(let name, let value, let expected) {
      throw .invalidParameter(name: name, value: value, expected: expected)
    } catch {
      throw .invalidParameter(
        name: "gating", value: "\(gating)", expected: "what the model's gates have: \(error)")
    }
  }

  private func check(_ tokens: [Int32], limit: Int) throws(GenerationError) {
    guard !tokens.isEmpty else { throw .emptyPrompt }
    guard tokens.count <= limit else {
      throw .promptTooLong(promptTokens: tokens.count, contextLength: contextLength)
    }
    for token in tokens where token < 0 || Int(token) >= vocabularySize {
      throw .tokenOutOfRange(token: token, vocabularySize: vocabularySize)
    }
    let needed = PagePool.blocks(forPositions: tokens.count)
    guard needed <= keyValueLimitBytes / bytesPerBlock else {
      throw .keyValueMemoryTooSmall(
        neededBytes: needed * bytesPerBlock, limitBytes: keyValueLimitBytes)
    }
  }
}

extension StreamingDetokenizer: TokenTextDecoder {}
