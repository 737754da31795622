import Generation
import HTTP
import Thalamus
import Tokenization

/// How an interface words the events of an answer.
struct AnswerStreaming: Sendable {
  /// Sent at once, before the expert has begun.
  let opening: [UInt8]
  let text: @Sendable (String, [ChosenLogprob]) -> [UInt8]
  /// Of interfaces that show what is thought before the answer.
  var reasoning: @Sendable (_ piece: String) -> [UInt8] = { _ in [] }
  /// Of interfaces where functions can be offered.
  var toolCallStart: @Sendable (_ id: String, _ name: String) -> [UInt8] = { _, _ in [] }
  var toolCallArguments: @Sendable (_ piece: String) -> [UInt8] = { _ in [] }
  let end: @Sendable (GenerationSummary) -> [UInt8]
  var contentType = ServerSentEvents.contentType
  /// What reports a failure midway.
  var failure: @Sendable (APIError) -> [UInt8] = { error in
    ServerSentEvents.event(APIError.Envelope(error: error))
  }

  /// The streamed response. When the client leaves, the write throws, the loop is left, and with
  /// it the generation stops.
  func response(to answer: Answer) -> HTTPResponse {
    ServerSentEvents.response(contentType) { writer in
      _ = try await send(answer) { try await writer.write($0) }
    }
  }

  /// Several answers in one stream, as they come.
  ///
  /// - Parameter closing: What follows behind the last one's end.
  static func response(
    to answers: [(answer: Answer, streaming: AnswerStreaming)],
    closing: @escaping @Sendable () -> [UInt8]
  ) -> HTTPResponse {
    if answers.count == 1, let (answer, streaming) = answers.first {
      return ServerSentEvents.response { writer in
        guard try await streaming.send(answer, to: { try await writer.write($0) }) else { return }
        try await writer.write(closing())
      }
    }
    return ServerSentEvents.response { writer in
      // One writes, in the order of what comes: a client that reads slowly holds up that one alone, and what is
      // ready meanwhile is no more than the answers are long.
      let (pieces, source) = AsyncStream.makeStream(of: [UInt8].self)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          await withThrowingTaskGroup(of: Void.self) { group in
            for (answer, streaming) in answers {
              group.addTask { _ = try await streaming.send(answer) { source.yield($0) } }
            }
            // That an answer was cancelled is no news to the others.
            while await group.nextResult() != nil {}
          }
          source.finish()
        }
        for await piece in pieces { try await writer.write(piece) }
        try await writer.write(closing())
        try await group.waitForAll()
      }
    }
  }

  /// Words the answer's events one by one; false where it failed midway, and says so.
  private func send(
    _ answer: Answer, to write: ([UInt8]) async throws -> Void
  ) async throws -> Bool {
    if !opening.isEmpty { try await write(opening) }
    do {
      for try await event in answer.events {
        let bytes =
          switch event {
          case .started: [UInt8]()
          case .reasoning(let piece): reasoning(piece)
          case .text(let piece, let logprobs): text(piece, logprobs)
          case .toolCallStart(let id, let name): toolCallStart(id, name)
          case .toolCallArguments(let piece): toolCallArguments(piece)
          case .finished(let summary): end(summary)
          }
        if !bytes.isEmpty { try await write(bytes) }
      }
      return true
    } catch let error where !(error is HTTPWriteError) && !(error is CancellationError) {
      // The status is long sent: the error travels as an event.
      try await write(failure(APIError(any: error)))
      return false
    }
  }
}
