import Generation
import HTTP
import Thalamus

/// `POST /v1/completions`: continues a text as it stands, without a chat template.
struct CompletionsRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(CompletionBody.self, from: request)
    var (routing, parameters) = service.request(
      model: body.model, input: .continuation(body.prompt), body.routing, body.fields)
    parameters.logprobs = body.logprobs
    routing.needsLogprobs = body.logprobs != nil
    // An expert always makes one token, which is left out then.
    if body.makesNothing { parameters.maxTokens = 1 }
    let answer = try await service.answer(
      routing, parameters: parameters, scoresPrompt: body.echoes && body.logprobs != nil)
    let format = CompletionFormat(answer, body)
    if body.streams { return .answered(by: answer.decision, format.stream()) }
    return .answered(by: answer.decision, try await format.whole())
  }
}

/// How one answer of `/v1/completions` is worded.
private struct CompletionFormat: Sendable {
  let answer: Answer
  let body: CompletionBody
  /// Nil where no log-probabilities are asked for.
  let writer: CompletionLogprobsWriter?
  /// The prompt where it is to be given back: with log-probabilities as the expert read it, since they are of that.
  let echo: String
  let echoed: CompletionLogprobs?

  init(_ answer: Answer, _ body: CompletionBody) {
    self.answer = answer
    self.body = body
    writer = body.logprobs.map { _ in CompletionLogprobsWriter(answer.bytes) }
    if let writer, let scores = answer.promptScores,
      case .continuation(let read) = answer.decision.prompt.expertInput
    {
      echo = read
      echoed = writer.next(scores, of: read)
    } else {
      echo = body.echoes ? body.prompt : ""
      echoed = nil
    }
  }

  private func usage(_ summary: GenerationSummary) -> UsageBody {
    var summary = summary
    if body.makesNothing { summary.completionTokens = 0 }
    return UsageBody(
      summary, costUSD: answer.costUSD(summary), expertShares: body.fields.reportsExpertShares)
  }

  func whole() async throws -> HTTPResponse {
    let answered = try await answer.collect()
    let summary = answered.summary
    var logprobs = echoed
    if let writer, !body.makesNothing {
      let own = writer.next(answered.logprobs)
      logprobs = logprobs.map { $0 + own } ?? own
    }
    let choice = CompletionReply.Choice(
      text: body.makesNothing ? echo : echo + answered.text,
      finish_reason: body.makesNothing ? "length" : summary.finishReason.openAIName,
      logprobs: logprobs)
    return JSONCoding.response(
      CompletionReply(answer.decision, choices: [choice], usage: usage(summary)))
  }

  func stream() -> HTTPResponse {
    AnswerStreaming(
      opening: echo.isEmpty ? [] : chunk(echo, nil, echoed),
      text: { text, found in
        body.makesNothing ? [] : chunk(text, nil, writer?.next(found))
      },
      end: { summary in
        var end = chunk("", body.makesNothing ? "length" : summary.finishReason.openAIName, nil)
        if body.includesUsage {
          end += ServerSentEvents.event(
            CompletionReply(answer.decision, choices: [], usage: usage(summary)))
        }
        return end + ServerSentEvents.done
      }
    ).response(to: answer)
  }

  private func chunk(
    _ text: String, _ reason: String?, _ logprobs: CompletionLogprobs?
  ) -> [UInt8] {
    ServerSentEvents.event(
      CompletionReply(
        answer.decision,
        choices: [.init(text: text, finish_reason: reason, logprobs: logprobs)]))
  }
}
