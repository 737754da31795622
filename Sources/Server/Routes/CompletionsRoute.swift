import Generation
import HTTP
import Thalamus

/// `POST /v1/completions`: continues a text as it stands, without a chat template.
struct CompletionsRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(CompletionBody.self, from: request)
    let requests = try await inputs(of: body).map { input in
      var (routing, parameters) = service.request(
        model: body.model, input: input, body.routing, body.fields)
      parameters.logprobs = body.logprobs
      routing.needsLogprobs = body.logprobs != nil
      // An expert always makes one token, which is left out then.
      if body.makesNothing { parameters.maxTokens = 1 }
      return SeveralAnswers.Request(
        routing: routing, parameters: parameters,
        scoresPrompt: body.echoes && body.logprobs != nil)
    }
    let several = try await SeveralAnswers(to: requests, count: body.count, by: service)
    let formats = several.answers.indices.map { CompletionFormat(several, index: $0, body) }
    let decision = several.first.decision
    if body.streams {
      return .answered(by: decision, Self.stream(formats, of: several, body))
    }
    var choices: [CompletionReply.Choice] = []
    var usages: [UsageBody] = []
    for format in formats {
      let (choice, usage) = try await format.whole()
      choices.append(choice)
      usages.append(usage)
    }
    return .answered(
      by: decision,
      JSONCoding.response(
        CompletionReply(decision, choices: choices, usage: several.usage(usages))))
  }

  /// The prompts as the service knows them.
  private func inputs(of body: CompletionBody) async throws -> [PromptInput] {
    var tokenizer: ThalamusService.ExpertTokenizer?
    var inputs: [PromptInput] = []
    for prompt in body.prompts {
      switch prompt {
      case .text(let text): inputs.append(.continuation(text))
      case .tokens(let ids):
        let model = service.aliases.model(body.model)
        guard model != "auto" else {
          throw APIError.badRequest(
            "'model' must name an expert for a prompt of token ids: each has tokens of its own",
            code: "missing_field", param: "model")
        }
        let known = if let tokenizer { tokenizer } else { try await service.tokenizer(of: model) }
        tokenizer = known
        let tokens = try known.tokens(ids)
        inputs.append(
          .tokens(tokens, text: String(decoding: known.bytes(of: tokens), as: UTF8.self)))
      }
    }
    return inputs
  }

  private static func stream(
    _ formats: [CompletionFormat], of several: SeveralAnswers, _ body: CompletionBody
  ) -> HTTPResponse {
    let usages = StreamedUsage()
    let streams = formats.enumerated().map { index, format in
      (answer: format.answer, streaming: format.streaming { usages.note($0, of: index) })
    }
    return AnswerStreaming.response(to: streams) {
      guard body.includesUsage, !usages.all.isEmpty else { return ServerSentEvents.done }
      return ServerSentEvents.event(
        CompletionReply(several.first.decision, choices: [], usage: several.usage(usages.all)))
        + ServerSentEvents.done
    }
  }
}

/// How one answer of `/v1/completions` is worded.
private struct CompletionFormat: Sendable {
  let several: SeveralAnswers
  let index: Int
  let body: CompletionBody
  var answer: Answer { several.answers[index] }
  /// Nil where no log-probabilities are asked for.
  let writer: CompletionLogprobsWriter?
  /// The prompt where it is to be given back: with log-probabilities as the expert read it, since they are of that.
  let echo: String
  let echoed: CompletionLogprobs?

  init(_ several: SeveralAnswers, index: Int, _ body: CompletionBody) {
    self.several = several
    self.index = index
    self.body = body
    let answer = several.answers[index]
    writer = body.logprobs.map { _ in CompletionLogprobsWriter(answer.bytes) }
    let read =
      switch answer.decision.prompt.expertInput {
      case .continuation(let text), .tokens(_, let text): text
      case .prompt, .messages: ""
      }
    if let writer, let scores = answer.promptScores {
      echo = read
      echoed = writer.next(scores, of: read)
    } else {
      echoed = nil
      echo =
        switch body.prompts[index / body.count] {
        case _ where !body.echoes: ""
        case .text(let text): text
        case .tokens: read
        }
    }
  }

  private func usage(_ summary: GenerationSummary) -> UsageBody {
    var summary = summary
    if body.makesNothing { summary.completionTokens = 0 }
    return UsageBody(
      summary, costUSD: answer.costUSD(summary), expertShares: body.fields.reportsExpertShares)
  }

  func whole() async throws -> (CompletionReply.Choice, UsageBody) {
    let answered = try await answer.collect()
    let summary = answered.summary
    var logprobs = echoed
    if let writer, !body.makesNothing {
      let own = writer.next(answered.logprobs)
      logprobs = logprobs.map { $0 + own } ?? own
    }
    let choice = CompletionReply.Choice(
      index: index, text: body.makesNothing ? echo : echo + answered.text,
      finish_reason: body.makesNothing ? "length" : summary.finishReason.openAIName,
      logprobs: logprobs, decision: several.decision(index))
    return (choice, usage(summary))
  }

  func streaming(ended: @escaping @Sendable (UsageBody) -> Void) -> AnswerStreaming {
    AnswerStreaming(
      opening: echo.isEmpty ? [] : chunk(echo, nil, echoed),
      text: { text, found in
        body.makesNothing ? [] : chunk(text, nil, writer?.next(found))
      },
      end: { summary in
        ended(usage(summary))
        return chunk("", body.makesNothing ? "length" : summary.finishReason.openAIName, nil)
      }
    )
  }

  private func chunk(
    _ text: String, _ reason: String?, _ logprobs: CompletionLogprobs?
  ) -> [UInt8] {
    ServerSentEvents.event(
      CompletionReply(
        several.first.decision,
        choices: [
          .init(
            index: index, text: text, finish_reason: reason, logprobs: logprobs,
            decision: reason == nil ? nil : several.decision(index))
        ]))
  }
}
