import Generation
import Library

extension ThalamusService {
  /// Decides and lets the chosen expert answer. The decision is logged with what came of it,
  /// whichever way the answer ends.
  package func answer(
    _ request: RoutingRequest, parameters: SamplingParameters
  ) async throws -> Answer {
    let decision = try await makeDecision(request)
    record(decision, answering: true)
    do {
      let expert = try await library.expert(decision.expert)
      let stream = try await expert.answer(
        ExpertInput(decision.prompt.expertInput), parameters: parameters)
      let recorder = AnswerRecorder { [self] outcome in
        recordOutcome(outcome, of: decision)
      }
      return Answer(
        decision: decision, events: AnswerEvents(base: stream, recorder: recorder))
    } catch {
      recordOutcome(
        .init(
          end: .failed(error), text: "", pieces: 0, promptTokens: nil,
          prefillMilliseconds: nil),
        of: decision)
      throw error
    }
  }
}

extension ExpertInput {
  init(_ input: PromptInput) {
    switch input {
    case .prompt(let text): self = .messages([.init(role: "user", content: text)])
    case .messages(let messages): self = .messages(messages)
    case .continuation(let text): self = .continuation(text)
    }
  }
}
