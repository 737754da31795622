import Generation
import HTTP
import Thalamus

/// `POST /v1/chat/completions`, as OpenAI's clients call it. `model` is `auto` or an expert's id.
struct ChatCompletionsRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(ChatCompletionBody.self, from: request)
    let generation = service.configuration.generation
    let routing = body.routing.routingRequest(
      model: body.model, input: .messages(body.messages.map(\.chatMessage)),
      maxTokens: body.fields.maxTokens ?? generation.defaultMaxTokens, seed: body.fields.seed)
    let parameters = body.fields.parameters(
      defaultMaxTokens: generation.defaultMaxTokens,
      defaultTemperature: generation.defaultTemperature)
    let answer = try await service.answer(routing, parameters: parameters)
    let usage = { @Sendable (summary: GenerationSummary) in
      UsageBody(
        summary, costUSD: answer.costUSD(summary), expertShares: body.fields.reportsExpertShares)
    }
    if body.streams {
      return .answered(
        by: answer.decision, Self.stream(answer, usage: body.includesUsage ? usage : nil))
    }
    let (text, summary) = try await answer.collect()
    return .answered(
      by: answer.decision,
      JSONCoding.response(
        ChatCompletionReply(
          answer.decision, text: text, summary: summary, usage: usage(summary))))
  }

  /// - Parameter usage: nil where the client did not ask for it.
  private static func stream(
    _ answer: Answer, usage: (@Sendable (GenerationSummary) -> UsageBody)?
  ) -> HTTPResponse {
    let decision = answer.decision
    let chunk: @Sendable (ChatCompletionChunk.Delta, String?) -> [UInt8] = { delta, reason in
      ServerSentEvents.event(
        ChatCompletionChunk(decision, choices: [.init(delta: delta, finish_reason: reason)]))
    }
    return AnswerStreaming(
      opening: chunk(.init(role: "assistant", content: ""), nil),
      text: { chunk(.init(content: $0), nil) },
      end: { summary in
        var end = chunk(.init(), summary.finishReason.openAIName)
        if let usage {
          end += ServerSentEvents.event(
            ChatCompletionChunk(decision, choices: [], usage: usage(summary)))
        }
        return end + ServerSentEvents.done
      }
    ).response(to: answer)
  }
}
