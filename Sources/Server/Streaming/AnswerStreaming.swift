import Generation
import HTTP
import Thalamus
import Tokenization

/// How an interface words the events of an answer.
struct AnswerStreaming: Sendable {
  /// Sent at once, before the expert has begun.
  let opening: [UInt8]
  let text: @Sendable (String, [ChosenLogprob]) -> [UInt8]
  /// Of interfaces where functions can be offered.
  var toolCallStart: @Sendable (_ id: String, _ name: String) -> [UInt8] = { _, _ in [] }
  var toolCallArguments: @Sendable (_ piece: String) -> [UInt8] = { _ in [] }
  let end: @Sendable (GenerationSummary) -> [UInt8]
  /// Name of the event that reports a failure midway, where events have names.
  var failureName: String?
  /// The response around what is written; server-sent events where nothing else is said.
  var framing: Framing = .events

  enum Framing: Sendable {
    case events
    /// A JSON value a line, as Ollama has it.
    case lines
  }

  /// The streamed response. When the client leaves, the write throws, the loop is left, and with
  /// it the generation stops.
  func response(to answer: Answer) -> HTTPResponse {
    let produce = { @Sendable (writer: HTTPBodyWriter) async throws in
      if !opening.isEmpty { try await writer.write(opening) }
      do {
        for try await event in answer.events {
          switch event {
          case .started: break
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
    return switch framing {
    case .events: ServerSentEvents.response(produce)
    case .lines: HTTPResponse.stream(contentType: OllamaReply.linesType, produce)
    }
  }

  private func failure(_ error: APIError) -> [UInt8] {
    switch framing {
    case .events:
      ServerSentEvents.event(APIError.Envelope(error: error), name: failureName)
    case .lines: OllamaReply.error(error) + [10]
    }
  }
}
