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
      if !opening.isEmpty { try await writer.write(opening) }
      do {
        for try await event in answer.events {
          switch event {
          case .started: break
          case .reasoning(let piece):
            let bytes = reasoning(piece)
            if !bytes.isEmpty { try await writer.write(bytes) }
          case .text(let piece, let logprobs):
            let bytes = text(piece, logprobs)
            if !bytes.isEmpty { try await writer.write(bytes) }
          case .toolCallStart(let id, let name):
            let bytes = toolCallStart(id, name)
            if !bytes.isEmpty { try await writer.write(bytes) }
          case .toolCallArguments(let piece):
            let bytes = toolCallArguments(piece)
            if !bytes.isEmpty { try await writer.write(bytes) }
          case .finished(let summary): try await writer.write(end(summary))
          }
        }
      } catch let error where !(error is HTTPWriteError) && !(error is CancellationError) {
        // The status is long sent: the error travels as an event.
        try await writer.write(failure(APIError(any: error)))
      }
    }
  }
}
