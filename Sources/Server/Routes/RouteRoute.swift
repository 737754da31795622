import Generation
import HTTP
import Thalamus

/// `POST /route`: a prompt in, the decision and the chosen expert's answer out.
struct RouteRoute: Sendable {
  let service: ThalamusService

  private struct TextEvent: Encodable {
    let text: String
  }

  private struct ReasoningEvent: Encodable {
    let reasoning: String
  }

  private struct EndEvent: Encodable {
    let finish_reason: String
    let usage: UsageBody
    let timings: TimingsBody
  }

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(RouteBody.self, from: request)
    let generation = service.configuration.generation
    let routing = body.routingRequest(defaultMaxTokens: generation.defaultMaxTokens)
    guard body.generates else {
      let decision = try await service.decide(routing)
      return .answered(by: decision, .json(AnswerBody(decision).json))
    }
    let parameters = body.fields.parameters(
      defaultMaxTokens: generation.defaultMaxTokens,
      defaultTemperature: generation.defaultTemperature)
    let answer = try await service.answer(routing, parameters: parameters)
    let usage = { @Sendable (summary: GenerationSummary) in
      UsageBody(
        summary, costUSD: answer.costUSD(summary), expertShares: body.fields.reportsExpertShares)
    }
    if body.streams {
      return .answered(by: answer.decision, Self.stream(answer, usage: usage))
    }
    let whole = try await answer.collect()
    let summary = whole.summary
    var reply = AnswerBody(answer.decision)
    reply.completion = .init(
      text: whole.text, reasoning: whole.reasoning.isEmpty ? nil : whole.reasoning,
      finish_reason: summary.finishReason.openAIName)
    reply.usage = usage(summary)
    reply.timings = TimingsBody(answer.decision, summary)
    return .answered(by: answer.decision, .json(reply.json))
  }

  private static func stream(
    _ answer: Answer, usage: @escaping @Sendable (GenerationSummary) -> UsageBody
  ) -> HTTPResponse {
    let decision = answer.decision
    return AnswerStreaming(
      opening: ServerSentEvents.event(json: AnswerBody.opening(decision), name: "decision"),
      text: { text, _ in ServerSentEvents.event(TextEvent(text: text), name: "text") },
      reasoning: {
        ServerSentEvents.event(ReasoningEvent(reasoning: $0), name: "reasoning")
      },
      end: { summary in
        ServerSentEvents.event(
          EndEvent(
            finish_reason: summary.finishReason.openAIName, usage: usage(summary),
            timings: TimingsBody(decision, summary)),
          name: "end")
      },
      failure: { ServerSentEvents.event(APIError.Envelope(error: $0), name: "error") }
    ).response(to: answer)
  }
}

extension HTTPResponse {
  /// Names the expert and the decision in the headers.
  static func answered(by decision: Decision, _ response: HTTPResponse) -> HTTPResponse {
    var response = response
    response.headers.set("X-Thalamus-Expert", decision.expert)
    response.headers.set("X-Thalamus-Decision", decision.id)
    return response
  }
}
