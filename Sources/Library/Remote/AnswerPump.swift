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
  /// Whether the caller gave texts to stop at: `stop` may mean one of these then.
  let hasStops: Bool

  /// Ends the stream in any case.
  ///
  /// - Parameter firstText: Resumed at the first text, at the end of an answer without any, or with what went wrong
  ///   before.
  func run(
    _ response: HTTPClientResponse, into continuation: GenerationStream.Continuation,
    _ firstText: CheckedContinuation<Void, any Error>
  ) async {
    var waiting: CheckedContinuation<Void, any Error>? = firstText
    var reader = CompletionReader(contentType: response.headers["content-type"])
    var pieces = 0
    var first: ContinuousClock.Instant?
    func send(_ texts: [String]) throws(CancellationError) {
      for text in texts {
        if first == nil {
          let now = ContinuousClock.now
          first = now
          continuation.yield(
            .started(
              promptTokens: promptTokens, prefillMilliseconds: Self.milliseconds(start, now)))
        }
        pieces += 1
        if case .terminated = continuation.yield(.text(text, logprobs: [])) {
          throw CancellationError()
        }
        waiting?.resume()
        waiting = nil
      }
    }
    do {
      for try await bytes in response.body { try send(try reader.read(bytes)) }
      // A cancelled task's stream ends without an error.
      try Task.checkCancellation()
      try send(try reader.end())
      health.succeeded()
      continuation.yield(.finished(summary(reader, pieces: pieces, first: first ?? .now)))
      continuation.finish()
      waiting?.resume()
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
      RemoteError.malformed(expert: expert, problem: problem.description)
    case let error as HTTPClientError: RemoteExpert.failure(error, of: expert, health)
    default: error
    }
  }

  private func summary(
    _ reader: CompletionReader, pieces: Int, first: ContinuousClock.Instant
  ) -> GenerationSummary {
    var timings = GenerationTimings()
    timings.firstTokenMilliseconds = Self.milliseconds(start, first)
    timings.prefillMilliseconds = timings.firstTokenMilliseconds
    timings.decodeMilliseconds = Self.milliseconds(first, .now)
    return GenerationSummary(
      finishReason: finishReason(reader.finishReason),
      promptTokens: reader.promptTokens ?? promptTokens,
      reusedPromptTokens: min(
        reader.cachedPromptTokens ?? 0, reader.promptTokens ?? promptTokens),
      // Most endpoints send a token a piece.
      completionTokens: reader.completionTokens ?? pieces, timings: timings)
  }

  private func finishReason(_ word: String?) -> FinishReason {
    switch word {
    case "length"?: .maxTokens
    case "content_filter"?, "tool_calls"?, "function_call"?: .reported(word ?? "stop")
    default: hasStops ? .reported("stop") : .endToken
    }
  }

  private static func milliseconds(
    _ from: ContinuousClock.Instant, _ to: ContinuousClock.Instant
  ) -> Double {
    from.duration(to: to) / .milliseconds(1)
  }
}
