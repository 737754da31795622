import Generation
import Synchronization
import Testing
import Thalamus

/// However a reader leaves an answer, what came of it is reported once.
@Suite struct AnswerEventsTests {
  private struct Broken: Error {}

  /// Keeps what was reported.
  private final class Reports: Sendable {
    private let all = Mutex<[AnswerRecorder.Outcome]>([])
    var outcomes: [AnswerRecorder.Outcome] { all.withLock { $0 } }
    func add(_ outcome: AnswerRecorder.Outcome) { all.withLock { $0.append(outcome) } }
  }

  private static let summary = GenerationSummary(
    finishReason: .endToken, promptTokens: 7, reusedPromptTokens: 0, completionTokens: 3,
    timings: GenerationTimings())

  private static let opening: [GenerationEvent] = [
    .started(promptTokens: 7, prefillMilliseconds: 1.5), .text("Hel", logprobs: []),
    .text("lo", logprobs: []),
  ]

  private func answer(
    _ reports: Reports, _ fill: (GenerationStream.Continuation) -> Void
  ) -> AnswerEvents {
    let (stream, continuation) = GenerationStream.makeStream()
    for event in Self.opening { continuation.yield(event) }
    fill(continuation)
    return AnswerEvents(
      base: stream, recorder: AnswerRecorder(start: .now - .milliseconds(50)) { reports.add($0) })
  }

  @Test func readToTheEnd() async throws {
    let reports = Reports()
    do {
      let events = answer(reports) {
        $0.yield(.finished(Self.summary))
        $0.finish()
      }
      var seen: [GenerationEvent] = []
      for try await event in events { seen.append(event) }
      #expect(seen == Self.opening + [.finished(Self.summary)])
    }
    let outcome = try #require(reports.outcomes.first)
    #expect(reports.outcomes.count == 1)
    guard case .finished(Self.summary) = outcome.end else {
      Issue.record("\(outcome.end)")
      return
    }
    #expect(outcome.text == "Hello")
    #expect(outcome.pieces == 2)
    #expect(outcome.promptTokens == 7)
    #expect((outcome.firstPieceMilliseconds ?? -1) >= 50, "from the request's beginning on")
  }

  /// What was thought is no part of the answer that is measured, and is the reader's all the same.
  @Test func thinkingIsKeptApart() async throws {
    let reports = Reports()
    do {
      let (stream, continuation) = GenerationStream.makeStream()
      for event: GenerationEvent in [
        .started(promptTokens: 7, prefillMilliseconds: 1), .reasoning("Hm"), .reasoning("."),
        .text("4", logprobs: []), .finished(Self.summary),
      ] {
        continuation.yield(event)
      }
      continuation.finish()
      let events = AnswerEvents(
        base: stream, recorder: AnswerRecorder(start: .now) { reports.add($0) })
      var thought = ""
      for try await event in events {
        if case .reasoning(let piece) = event { thought += piece }
      }
      #expect(thought == "Hm.")
    }
    #expect(reports.outcomes.first?.text == "4" && reports.outcomes.first?.pieces == 3)
  }

  @Test func leftAtTheSummary() async throws {
    let reports = Reports()
    do {
      let events = answer(reports) { $0.yield(.finished(Self.summary)) }
      for try await event in events {
        if case .finished = event { break }
      }
    }
    #expect(reports.outcomes.count == 1)
    guard case .finished? = reports.outcomes.first?.end else {
      Issue.record("an answer that was finished counts as such")
      return
    }
  }

  @Test func failsMidway() async throws {
    let reports = Reports()
    do {
      let events = answer(reports) { $0.finish(throwing: Broken()) }
      await #expect(throws: Broken.self) { for try await _ in events {} }
    }
    #expect(reports.outcomes.count == 1)
    guard case .failed(let error)? = reports.outcomes.first?.end, error is Broken else {
      Issue.record("expected the failure")
      return
    }
    #expect(reports.outcomes.first?.pieces == 2)
  }

  @Test func abandonedMidway() async throws {
    let reports = Reports()
    let ended = Mutex(false)
    do {
      let events = answer(reports) { continuation in
        continuation.onTermination = { reason in
          if case .cancelled = reason { ended.withLock { $0 = true } }
        }
      }
      for try await event in events {
        if case .text = event { break }
      }
    }
    #expect(reports.outcomes.count == 1)
    guard case .cancelled? = reports.outcomes.first?.end else {
      Issue.record("expected a cancelled answer")
      return
    }
    #expect(reports.outcomes.first?.text == "Hel")
    #expect(ended.withLock { $0 }, "the generation must be told")
  }

  @Test func neverRead() {
    let reports = Reports()
    do { _ = answer(reports) { _ in } }
    #expect(reports.outcomes.count == 1)
    guard case .cancelled? = reports.outcomes.first?.end else {
      Issue.record("expected a cancelled answer")
      return
    }
    #expect(reports.outcomes.first?.promptTokens == nil)
  }

  @Test func endsWithoutASummary() async throws {
    let reports = Reports()
    do {
      let events = answer(reports) { $0.finish() }
      for try await _ in events {}
    }
    #expect(reports.outcomes.count == 1)
    guard case .cancelled? = reports.outcomes.first?.end else {
      Issue.record("expected a cancelled answer")
      return
    }
  }

  @Test func readerIsCancelled() async throws {
    let reports = Reports()
    let events = answer(reports) { _ in }
    let reading = Task {
      var count = 0
      for try await _ in events { count += 1 }
      return count
    }
    while reports.outcomes.isEmpty {
      // The stream never ends by itself: only the cancellation gets the reader out.
      reading.cancel()
      await Task.yield()
    }
    _ = try await reading.value
    #expect(reports.outcomes.count == 1)
  }
}
