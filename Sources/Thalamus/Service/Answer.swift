import Generation
import Library
import Routing
import Synchronization
import Tokenization

/// An answer on its way: the decision, and the chosen expert's events.
package struct Answer: Sendable {
  package let decision: Decision
  package let events: AnswerEvents
  /// Who answers.
  let expert: any Expert
  /// What the expert makes of the prompt's own tokens, where that was asked for.
  package let promptScores: PromptScores?

  /// US dollars by the expert's prices; nil where it has none.
  package func costUSD(_ summary: GenerationSummary) -> Double? {
    expert.card.costUSD(
      promptTokens: summary.promptTokens, completionTokens: summary.completionTokens)
  }

  /// The bytes of a token's text; nil where they are not known here.
  package func bytes(of token: Int32) -> [UInt8]? { expert.bytes(of: token) }

  /// An answer that is whole.
  package struct Whole: Sendable {
    package var text = ""
    /// What was thought before it.
    package var reasoning = ""
    /// The functions that the expert wants called.
    package var toolCalls: [ToolCall] = []
    /// Where they were asked for.
    package var logprobs: [ChosenLogprob] = []
    package let summary: GenerationSummary
  }

  /// Waits for the whole answer.
  package func collect() async throws -> Whole {
    var text = ""
    var reasoning = ""
    var toolCalls: [ToolCall] = []
    var logprobs: [ChosenLogprob] = []
    for try await event in events {
      switch event {
      case .started: break
      case .reasoning(let piece): reasoning += piece
      case .text(let piece, let chosen):
        text += piece
        logprobs += chosen
      case .toolCallStart(let id, let name):
        toolCalls.append(ToolCall(id: id, name: name, arguments: ""))
      case .toolCallArguments(let piece):
        if let last = toolCalls.indices.last { toolCalls[last].arguments += piece }
      case .finished(let summary):
        return Whole(
          text: text, reasoning: reasoning, toolCalls: toolCalls, logprobs: logprobs,
          summary: summary)
      }
    }
    // The stream ends without a summary where the reading task was cancelled.
    throw GenerationError.cancelled
  }
}

/// The events of one answer; what came of them is recorded whichever way the reader leaves: at the
/// end, by an error, or by letting go of the sequence. Read by one task, once.
package struct AnswerEvents: AsyncSequence, Sendable {
  package typealias Element = GenerationEvent

  let base: GenerationStream
  let recorder: AnswerRecorder

  package init(base: GenerationStream, recorder: AnswerRecorder) {
    self.base = base
    self.recorder = recorder
  }

  package struct AsyncIterator: AsyncIteratorProtocol {
    var base: GenerationStream.AsyncIterator
    let recorder: AnswerRecorder

    package mutating func next() async throws -> GenerationEvent? {
      do {
        guard let event = try await base.next() else {
          // A stream that ends without a summary was cancelled.
          recorder.end(.cancelled)
          return nil
        }
        recorder.note(event)
        return event
      } catch {
        recorder.end(.failed(error))
        throw error
      }
    }
  }

  package func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(base: base.makeAsyncIterator(), recorder: recorder)
  }
}

/// Gathers what came of an answer and reports it exactly once.
package final class AnswerRecorder: Sendable {
  /// How an answer ended.
  package enum End: Sendable {
    case finished(GenerationSummary)
    case failed(any Error)
    case cancelled
  }

  /// What came of an answer.
  package struct Outcome: Sendable {
    package let end: End
    package let text: String
    /// Names of the functions that it wants called, in order.
    package var calledFunctions: [String] = []
    /// Pieces of text that were sent before the end: about the tokens of a cancelled answer.
    package let pieces: Int
    package let promptTokens: Int?
    /// From the request's being handed to the expert to its first piece of text; nil before that.
    package let firstPieceMilliseconds: Double?

    /// Whether a caller got anything that a conversation could go on with.
    var hasContent: Bool { !text.isEmpty || !calledFunctions.isEmpty }
  }

  private struct State {
    var text = ""
    var calledFunctions: [String] = []
    var pieces = 0
    var promptTokens: Int?
    var firstPieceMilliseconds: Double?
    var isOver = false
  }

  private let state = Mutex(State())
  private let start: ContinuousClock.Instant
  private let report: @Sendable (Outcome) -> Void

  /// - Parameter start: When the request was handed to the expert.
  package init(
    start: ContinuousClock.Instant = .now, report: @escaping @Sendable (Outcome) -> Void
  ) {
    self.start = start
    self.report = report
  }

  deinit { end(.cancelled) }

  func note(_ event: GenerationEvent) {
    switch event {
    case .started(let promptTokens, _):
      state.withLock { $0.promptTokens = promptTokens }
    case .text(let piece, _): note(piece: piece)
    // No text of the expert's that could be long or readable.
    case .reasoning, .toolCallArguments: note(piece: "")
    case .toolCallStart(_, let name):
      state.withLock { $0.calledFunctions.append(name) }
      note(piece: "")
    case .finished(let summary):
      end(.finished(summary))
    }
  }

  private func note(piece: String) {
    state.withLock {
      if $0.pieces == 0 {
        $0.firstPieceMilliseconds = start.duration(to: .now).milliseconds
      }
      $0.text += piece
      $0.pieces += 1
    }
  }

  func end(_ end: End) {
    let outcome = state.withLock { state -> Outcome? in
      guard !state.isOver else { return nil }
      state.isOver = true
      return Outcome(
        end: end, text: state.text, calledFunctions: state.calledFunctions, pieces: state.pieces,
        promptTokens: state.promptTokens,
        firstPieceMilliseconds: state.firstPieceMilliseconds)
    }
    if let outcome { report(outcome) }
  }
}
