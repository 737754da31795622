import Generation
import HTTPClient

/// Turns an endpoint's response into the events of an answer.
struct AnswerPump: Sendable {
  let expert: String
  let health: EndpointHealth
  /// When the request was sent.
  let start: ContinuousClock.Instant
  /// An estimate, until the endpoint tells.
  let promptTokens: Int
  /// The texts that the caller gave to stop at: `stop` may mean one of these.
  let stops: [String]
  /// The most tokens that were asked for; nil for no limit.
  let maxTokens: Int?
  /// The key, which no message is to hold.
  let secret: String?

  /// Most bytes of an answer of so many tokens. An endpoint that goes on regardless of the limit would fill the
  /// memory here, for a reader who is slow.
  private var maximumBytes: Int { maxTokens.map { 16_384 + 64 * min($0, 1 << 24) } ?? .max }

  /// Ends the stream in any case.
  ///
  /// - Parameter firstText: Resumed at the first text, at the end of an answer without any, or with what went wrong
  ///   before.
  func run(
    _ response: HTTPClientResponse, into continuation: GenerationStream.Continuation,
    _ firstText: CheckedContinuation<Void, any Error>
  ) async {
    var waiting: CheckedContinuation<Void, any Error>? = firstText
    var reader = CompletionReader()
    var pieces = 0
    var thoughts = 0
    var bytes = 0
    var first: ContinuousClock.Instant?
    func begin() {
      guard first == nil else { return }
      let now = ContinuousClock.now
      first = now
      continuation.yield(
        .started(promptTokens: promptTokens, prefillMilliseconds: Self.milliseconds(start, now)))
    }
    func send(_ found: [CompletionReader.Piece]) throws(CancellationError) {
      for piece in found {
        begin()
        pieces += 1
        let event: GenerationEvent
        switch piece {
        case .text(let text):
          bytes += text.utf8.count
          event = .text(text, logprobs: [])
        case .reasoning(let text):
          thoughts += 1
          bytes += text.utf8.count
          event = .reasoning(text)
        }
        if case .terminated = continuation.yield(event) {
          throw CancellationError()
        }
        waiting?.resume()
        waiting = nil
      }
    }
    do {
      var isCutOff = false
      do {
        for try await piece in response.body {
          try send(try reader.read(piece))
          isCutOff = bytes + reader.toolCallBytes > maximumBytes
          if reader.isDone || isCutOff { break }
        }
      } catch is HTTPClientError where reader.finishReason != nil && !Task.isCancelled {
        // The answer had ended, and only the stream's own end did not come.
      }
      // A cancelled task's stream ends without an error.
      try Task.checkCancellation()
      if isCutOff {
        reader.cutOff()
      } else {
        try send(try reader.end())
      }
      // Whole only now; until here another expert could still have taken the prompt.
      if !isCutOff {
        for call in reader.toolCalls {
          begin()
          pieces += 1
          continuation.yield(.toolCallStart(id: call.id, name: call.name))
          continuation.yield(.toolCallArguments(call.arguments))
        }
      }
      health.succeeded()
      continuation.yield(
        .finished(summary(reader, pieces: pieces, thoughts: thoughts, first: first ?? .now)))
      continuation.finish()
      waiting?.resume()
      // Behind the answer's end comes nothing, mostly, and then the connection serves the next request.
      if !isCutOff { await response.readBody(forAtMost: .seconds(1)) { _ in true } }
    } catch {
      let error = meaning(of: error)
      continuation.finish(throwing: error)
      waiting?.resume(throwing: error)
    }
  }

  /// What the request's caller is told.
  private func meaning(of error: any Error) -> any Error {
    switch error {
    case let problem as CompletionReader.Problem:
      // Of this prompt alone, perhaps: a short rest.
      health.failed("its endpoint sends no proper answers")
      return RemoteError.malformed(
        expert: expert, problem: PeerMessage.without(secret, problem.description))
    case let error as HTTPClientError: return RemoteExpert.failure(error, of: expert, health)
    default: return error
    }
  }

  private func summary(
    _ reader: CompletionReader, pieces: Int, thoughts: Int, first: ContinuousClock.Instant
  ) -> GenerationSummary {
    var timings = GenerationTimings()
    timings.firstTokenMilliseconds = Self.milliseconds(start, first)
    timings.prefillMilliseconds = timings.firstTokenMilliseconds
    timings.decodeMilliseconds = Self.milliseconds(first, .now)
    return GenerationSummary(
      finishReason: finishReason(reader),
      promptTokens: reader.promptTokens ?? promptTokens,
      reusedPromptTokens: min(
        reader.cachedPromptTokens ?? 0, reader.promptTokens ?? promptTokens),
      // Most endpoints send a token a piece.
      completionTokens: reader.completionTokens ?? pieces,
      reasoningTokens: min(
        reader.reasoningTokens ?? thoughts, reader.completionTokens ?? pieces),
      timings: timings)
  }

  private func finishReason(_ reader: CompletionReader) -> FinishReason {
    let word = reader.finishReason
    // Some say 'stop' behind a call.
    if !reader.toolCalls.isEmpty, word != "length" { return .toolCalls }
    return switch word {
    case "length"?: .maxTokens
    case "content_filter"?, "tool_calls"?, "function_call"?: .reported(word ?? "stop")
    default:
      if let text = reader.stopText, stops.contains(text) {
        .stopString(text)
      } else {
        stops.isEmpty ? .endToken : .reported("stop")
      }
    }
  }

  private static func milliseconds(
    _ from: ContinuousClock.Instant, _ to: ContinuousClock.Instant
  ) -> Double {
    from.duration(to: to) / .milliseconds(1)
  }
}
