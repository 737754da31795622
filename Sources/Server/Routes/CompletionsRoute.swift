import Generation
import HTTP
import Thalamus

/// `POST /v1/completions`: continues a text as it stands, without a chat template.
struct CompletionsRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(CompletionBody.self, from: request)
    let generation = service.configuration.generation
    let routing = body.routing.routingRequest(
      model: body.model, input: .continuation(body.prompt),
      maxTokens: body.fields.maxTokens ?? generation.defaultMaxTokens, seed: body.fields.seed)
    let parameters = body.fields.parameters(
      defaultMaxTokens: generation.defaultMaxTokens,
      defaultTemperature: generation.defaultTemperature)
    let answer = try await service.answer(routing, parameters: parameters)
    let echo = body.echoes ? body.prompt : ""
    let usage = { @Sendable (summary: GenerationSummary) in
      UsageBody(
        summary, costUSD: answer.costUSD(summary), expertShares: body.fields.reportsExpertShares)
    }
    if body.streams {
      return .answered(
        by: answer.decision,
        Self.stream(answer, echo: echo, usage: body.includesUsage ? usage : nil))
    }
    let (text, summary) = try await answer.collect()
    let choice = CompletionReply.Choice(
      text: echo + text, finish_reason: summary.finishReason.openAIName)
    return .answered(
      by: answer.decision,
      JSONCoding.response(
        CompletionReply(answer.decision, choices: [choice], usage: usage(summary))))
  }

  /// - Parameter usage: nil where the client did not ask for it.
  private static func stream(
    _ answer: Answer, echo: String, usage: (@Sendable (GenerationSummary) -> UsageBody)?
  ) -> HTTPResponse {
    let decision = answer.decision
    let chunk: @Sendable (String, String?) -> [UInt8] = { text, reason in
      ServerSentEvents.event(
        CompletionReply(decision, choices: [.init(text: text, finish_reason: reason)]))
    }
    return AnswerStreaming(
      opening: echo.isEmpty ? [] : chunk(echo, nil),
      text: { chunk($0, nil) },
      end: { summary in
        var end = chunk("", summary.finishReason.openAIName)
        if let usage {
          end += ServerSentEvents.event(
            CompletionReply(decision, choices: [], usage: usage(summary)))
        }
        return end + ServerSentEvents.done
      }
    ).response(to: answer)
  }
}
