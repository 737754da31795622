import Generation
import Library
import Routing

extension ThalamusService {
  /// Decides and lets the chosen expert answer. The decision is logged with what came of it,
  /// whichever way the answer ends.
  ///
  /// Where the chosen expert has no room for the prompt, of which a decision knows the bytes alone, or its endpoint
  /// gives no answer, that is logged as what came of the decision, and another one is made without it, under the
  /// same limits and goals; an expert that the caller named gets no substitute.
  ///
  /// - Parameter scoresPrompt: Whether the prompt's own tokens are to be scored first.
  package func answer(
    _ request: RoutingRequest, parameters: SamplingParameters, scoresPrompt: Bool = false
  ) async throws -> Answer {
    // What no expert could do is no decision's failure.
    try parameters.validate()
    if traces == nil || TraceContext.current != nil {
      return try await answerInTrace(request, parameters: parameters, scoresPrompt: scoresPrompt)
    }
    // A decision that comes in the place of another one belongs to the same trace.
    return try await TraceContext.$current.withValue(.root()) {
      try await answerInTrace(request, parameters: parameters, scoresPrompt: scoresPrompt)
    }
  }

  private func answerInTrace(
    _ request: RoutingRequest, parameters: SamplingParameters, scoresPrompt: Bool
  ) async throws -> Answer {
    var setbacks: [Setback] = []
    var lastError: (any Error)?
    while true {
      let decision: Decision
      do {
        decision = try await makeTracedDecision(request, setbacks: setbacks)
      } catch RoutingError.noEligibleExpert(let reasons) {
        // That nobody else may answer says less than why the first did not; but of a prompt that is too long for
        // all, the decision knows more.
        if case .noAnswer? = setbacks.last?.reason, let lastError { throw lastError }
        throw RoutingError.noEligibleExpert(reasons)
      }
      guard
        let reservation = spending.reserve(
          decision.expectedCostUSD, for: decision.key, at: decision.time)
      else {
        // Another answer took what was left in the meantime; the next decision knows.
        continue
      }
      do {
        return try await answer(
          decision, reservation, parameters: parameters, scoresPrompt: scoresPrompt)
      } catch {
        guard request.expert == nil, let setback = Setback(error, by: decision.expert) else {
          throw error
        }
        // Each round shuts out one expert more, so that this ends.
        if case .noAnswer(let problem) = setback.reason {
          logger.warning(
            "\(decision.id): expert \(decision.expert): \(problem); another expert is asked")
        }
        setbacks.append(setback)
        lastError = error
      }
    }
  }

  private func answer(
    _ decision: Decision, _ reservation: SpendingLedger.Reservation,
    parameters: SamplingParameters, scoresPrompt: Bool
  ) async throws -> Answer {
    record(decision, answering: true)
    do {
      return try await library.use(decision.expert) { expert in
        let input = ExpertInput(decision.prompt.expertInput)
        let scores =
          scoresPrompt
          ? try await expert.scorePrompt(input, alternatives: parameters.logprobs ?? 0) : nil
        let start = ContinuousClock.now
        let stream = try await RemoteExpert.$traceparent.withValue(traceparent(of: decision)) {
          try await expert.answer(input, parameters: parameters)
        }
        let recorder = AnswerRecorder(start: start) { [self] outcome in
          recordOutcome(outcome, of: decision, reservation)
        }
        return Answer(
          decision: decision, events: AnswerEvents(base: stream, recorder: recorder),
          expert: expert, promptScores: scores)
      }
    } catch {
      recordOutcome(
        .init(
          end: .failed(error), text: "", pieces: 0, promptTokens: nil,
          firstPieceMilliseconds: nil),
        of: decision, reservation)
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
    case .tokens(let tokens, let text): self = .tokens(tokens, text: text)
    }
  }
}
