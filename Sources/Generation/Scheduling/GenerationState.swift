import Grammar
import Transformer

/// Everything about one running answer except its tokens and its cache.
final class GenerationState {
  let promptCount: Int
  let continuation: GenerationStream.Continuation
  /// Tokens of the prompt that were in the cache from the start.
  let reusedCount: Int
  private var sampler: Sampler
  private var stopRule: StopRule
  private var text: any TokenTextDecoder
  private var toolCalls: ToolCallReader?
  private var reasoning: ReasoningState?
  private let submitted: UInt64
  private let imageMilliseconds: Double?
  private var prefillStart: UInt64?
  private var firstToken: UInt64?
  /// The token that the last pass gave, until `takeSampled`.
  private var sampled: (token: Int32, logprob: ChosenLogprob?)?
  private var pendingLogprobs: [ChosenLogprob] = []
  private var completionTokens = 0
  private var gateStatistics: GateStatistics?
  private var draftedTokens = 0
  private var acceptedDraftTokens = 0

  init(
    request: GenerationRequest, reusedCount: Int,
    continuation: GenerationStream.Continuation, submitted: UInt64, endTokens: Set<Int32>,
    contextLength: Int, text: any TokenTextDecoder
  ) {
    promptCount = request.promptTokens.count
    self.reusedCount = reusedCount
    self.continuation = continuation
    self.submitted = submitted
    imageMilliseconds = request.embeddingMilliseconds
    self.text = text
    sampler = Sampler(parameters: request.parameters, constraint: request.constraint)
    toolCalls = request.toolCallStyle.map { ToolCallReader($0) }
    reasoning = request.reasoning.map { ReasoningState($0) }
    stopRule = StopRule(
      parameters: request.parameters,
      // One that ends a message among several does not end the answer.
      endTokens: endTokens.subtracting(request.reasoning.map { Set($0.marks.keys) } ?? []),
      promptCount: promptCount,
      contextLength: contextLength, layoutStops: request.layoutStops)
  }

  /// Notes that the first rows of the prompt are about to be computed.
  func willPrefill(now: UInt64) {
    if prefillStart == nil { prefillStart = now }
  }

  /// Adds what the model's gates chose for this request's rows in a pass.
  func record(_ gates: GateStatistics) {
    if gateStatistics == nil { gateStatistics = gates } else { gateStatistics?.merge(gates) }
  }

  /// Counts tokens that were guessed and proved.
  func noteDraft(of tokens: Int) { draftedTokens += tokens }

  /// Counts a guess that was right.
  func noteAcceptedDraft() { acceptedDraftTokens += 1 }

  /// Chooses a token; runs on a pool thread.
  func sample(logits: UnsafeMutableBufferPointer<Float>, tokens: [Int32]) {
    if let token = reasoning?.nextForced() {
      sampled = (token, nil)
      return
    }
    sampled = sampler.next(
      logits: logits, tokens: tokens, promptCount: promptCount,
      scope: reasoning?.scope ?? .answer)
  }

  /// Sends what the chosen token leads to. Gives the token to go on with, or nil at the end.
  func takeSampled(now: UInt64) -> Int32? {
    guard let (token, logprob) = sampled else { return nil }
    sampled = nil
    if let failure = sampler.failure {
      continuation.finish(throwing: GenerationError.formatNotKept("\(failure)"))
      return nil
    }
    completionTokens += 1
    if firstToken == nil {
      firstToken = now
      continuation.yield(
        .started(
          promptTokens: promptCount,
          prefillMilliseconds: MonotonicClock.milliseconds(from: prefillStart ?? now, to: now)))
    }
    if stopRule.isEnd(token) {
      finish(.endToken, now: now)
      return nil
    }
    if let logprob { pendingLogprobs.append(logprob) }
    let outcome = stopRule.take(text: read(token))
    send(outcome.text)
    if let reason = end(outcome.finished) ?? (reasoning?.isOver == true ? .endToken : nil) {
      finish(reason, now: now)
      return nil
    }
    return token
  }

  /// What of the answer's text a token completes. Thinking is sent from here.
  private func read(_ token: Int32) -> String {
    guard let outcome = reasoning?.take(token, &text) else { return text.append(token) }
    // Of thinking there are none.
    if outcome.isApart { pendingLogprobs.removeAll() }
    let answer = send(outcome.pieces)
    guard outcome.beginsAnswer, !answer.isEmpty else { return answer }
    return sampler.begin(answer) ? answer : ""
  }

  /// Sends what is thinking, and gives the answer's text back.
  private func send(_ pieces: [ReasoningReader.Piece]) -> String {
    var answer = ""
    for piece in pieces {
      switch piece {
      case .reasoning(let text): continuation.yield(.reasoning(text))
      case .answer(let text): answer += text
      }
    }
    return answer
  }

  /// Why the answer ends, if it does: a text that it was to stop at before all else, and the end of its format before
  /// a limit.
  private func end(_ reason: FinishReason?) -> FinishReason? {
    switch reason {
    case .stopString, .layoutStop: reason
    default: sampler.isComplete ? .formatComplete : reason
    }
  }

  /// Sends the held-back text, unless a stop string ended the answer, and the summary.
  func finish(_ reason: FinishReason, now: UInt64) {
    var reason = reason
    switch reason {
    case .stopString, .layoutStop: break
    default:
      var last = text.finish()
      if let pieces = reasoning?.finish(last) { last = send(pieces) }
      let rest = stopRule.finish(rest: last)
      send(rest.text)
      if let stopped = rest.finished { reason = stopped }
    }
    if let rest = toolCalls?.finish() { send(rest) }
    if let toolCalls, toolCalls.callCount > 0 {
      switch reason {
      case .endToken, .formatComplete, .layoutStop: reason = .toolCalls
      default: break
      }
    }
    if !pendingLogprobs.isEmpty { flush("") }
    var timings = GenerationTimings()
    let start = prefillStart ?? now
    timings.queueMilliseconds = MonotonicClock.milliseconds(from: submitted, to: start)
    timings.prefillMilliseconds = MonotonicClock.milliseconds(from: start, to: firstToken ?? now)
    timings.imageMilliseconds = imageMilliseconds
    timings.firstTokenMilliseconds =
      MonotonicClock.milliseconds(from: submitted, to: firstToken ?? now) + (imageMilliseconds ?? 0)
    timings.decodeMilliseconds = MonotonicClock.milliseconds(from: firstToken ?? now, to: now)
    continuation.yield(
      .finished(
        GenerationSummary(
          finishReason: reason, promptTokens: promptCount, reusedPromptTokens: reusedCount,
          completionTokens: completionTokens, reasoningTokens: reasoning?.tokenCount ?? 0,
          draftedTokens: draftedTokens,
          acceptedDraftTokens: acceptedDraftTokens, timings: timings,
          gateStatistics: gateStatistics)))
    continuation.finish()
  }

  private func send(_ piece: String) {
    guard !piece.isEmpty else { return }
    if let pieces = toolCalls?.take(piece) { send(pieces) } else { flush(piece) }
  }

  private func send(_ pieces: [ToolCallReader.Piece]) {
    for piece in pieces {
      switch piece {
      case .text(let text): flush(text)
      case .callStart(let id, let name): continuation.yield(.toolCallStart(id: id, name: name))
      case .callArguments(let piece): continuation.yield(.toolCallArguments(piece))
      }
    }
  }

  private func flush(_ piece: String) {
    continuation.yield(.text(piece, logprobs: pendingLogprobs))
    pendingLogprobs.removeAll()
  }
}
