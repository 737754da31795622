import Generation
import Library

extension ThalamusService {
  /// Decides and lets the chosen expert answer. The decision is logged with what came of it,
  /// whichever way the answer ends.
  ///
  /// A decision knows a prompt's length from its bytes alone. Where the chosen expert counts its
  /// tokens and has no room for them, that is logged as what came of the decision, and another one
  /// is made with the count; an expert that the caller named gets no substitute.
  package func answer(
    _ request: RoutingRequest, parameters: SamplingParameters
  ) async throws -> Answer {
    // What no expert could do is no decision's failure.
    try parameters.validate()
    var refusals: [ContextRefusal] = []
    while true {
      let decision = try await makeDecision(request, refusals: refusals)
      do {
        return try await answer(decision, parameters: parameters)
      } catch {
        guard request.expert == nil,
          let refusal = ContextRefusal(error, by: decision.expert)
        else { throw error }
        // Each round shuts out one expert more, so that this ends.
        refusals.append(refusal)
      }
    }
  }

  private func answer(
    _ decision: Decision, parameters: SamplingParameters
  ) async throws -> Answer {
    record(decision, answering: true)
    do {
      let expert = try await library.expert(decision.expert)
      let start = ContinuousClock.now
      let stream = try await expert.answer(
        ExpertInput(decision.prompt.expertInput), parameters: parameters)
      let recorder = AnswerRecorder(start: start) { [self] outcome in
        recordOutcome(outcome, of: decision)
      }
      return Answer(
        decision: decision, events: AnswerEvents(base: stream, recorder: recorder))
    } catch {
      recordOutcome(
        .init(
          end: .failed(error), text: "", pieces: 0, promptTokens: nil,
          firstPieceMilliseconds: nil),
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
