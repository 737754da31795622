import Generation
import HTTP
import Synchronization
import Thalamus
import Tokenization

/// `POST /v1/chat/completions`, as OpenAI's clients call it. `model` is `auto` or an expert's id.
struct ChatCompletionsRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(ChatCompletionBody.self, from: request)
    var (routing, parameters) = service.request(
      model: body.model, input: .messages(body.messages.map(\.chatMessage)), body.routing,
      body.fields)
    parameters.logprobs = body.logprobs
    parameters.tools = body.tools
    routing.needsLogprobs = body.logprobs != nil
    let several = try await SeveralAnswers(
      to: [.init(routing: routing, parameters: parameters)], count: body.count, by: service)
    let usage = { @Sendable (answer: Answer, summary: GenerationSummary) in
      UsageBody(
        summary, costUSD: answer.costUSD(summary), expertShares: body.fields.reportsExpertShares)
    }
    let decision = several.first.decision
    if body.streams {
      return .answered(
        by: decision, Self.stream(several, usage: body.includesUsage ? usage : nil))
    }
    var choices: [ChatCompletionReply.Choice] = []
    var usages: [UsageBody] = []
    for (index, answer) in several.answers.enumerated() {
      let whole = try await answer.collect()
      choices.append(
        .init(
          whole, index: index,
          logprobs: body.logprobs.map { _ in ChatLogprobs(whole.logprobs, answer.bytes) },
          decision: several.decision(index)))
      usages.append(usage(answer, whole.summary))
    }
    return .answered(
      by: decision,
      JSONCoding.response(
        ChatCompletionReply(decision, choices: choices, usage: several.usage(usages))))
  }

  /// - Parameter usage: nil where the client did not ask for it.
  private static func stream(
    _ several: SeveralAnswers, usage: (@Sendable (Answer, GenerationSummary) -> UsageBody)?
  ) -> HTTPResponse {
    let decision = several.first.decision
    let usages = StreamedUsage()
    let streams = several.answers.enumerated().map { index, answer in
      (
        answer: answer,
        streaming: streaming(answer, index: index, of: several) { summary in
          if let usage { usages.note(usage(answer, summary), of: index) }
        }
      )
    }
    return AnswerStreaming.response(to: streams) {
      guard usage != nil, !usages.all.isEmpty else { return ServerSentEvents.done }
      return ServerSentEvents.event(
        ChatCompletionChunk(decision, choices: [], usage: several.usage(usages.all)))
        + ServerSentEvents.done
    }
  }

  private static func streaming(
    _ answer: Answer, index: Int, of several: SeveralAnswers,
    ended: @escaping @Sendable (GenerationSummary) -> Void
  ) -> AnswerStreaming {
    let decision = several.first.decision
    let calls = Mutex(0)
    let chunk: @Sendable (ChatCompletionChunk.Delta, FinishReason?, ChatLogprobs?) -> [UInt8] = {
      delta, reason, logprobs in
      ServerSentEvents.event(
        ChatCompletionChunk(
          decision,
          choices: [
            .init(
              index: index, delta: delta, finish_reason: reason?.openAIName,
              stop_reason: reason?.stopText, logprobs: logprobs,
              decision: reason == nil ? nil : several.decision(index))
          ]))
    }
    return AnswerStreaming(
      opening: chunk(.init(role: "assistant", content: ""), nil, nil),
      text: { text, found in
        // They are there only where they were asked for.
        chunk(.init(content: text), nil, found.isEmpty ? nil : ChatLogprobs(found, answer.bytes))
      },
      reasoning: { chunk(.init(reasoning_content: $0), nil, nil) },
      toolCallStart: { id, name in
        let index = calls.withLock { calls in
          calls += 1
          return calls - 1
        }
        let call = ToolCall(id: id, name: name, arguments: "")
        return chunk(.init(tool_calls: [.start(ToolCallBody(call, index: index))]), nil, nil)
      },
      toolCallArguments: { piece in
        let more = ToolCallMore(index: calls.withLock { $0 - 1 }, arguments: piece)
        return chunk(.init(tool_calls: [.more(more)]), nil, nil)
      },
      end: { summary in
        ended(summary)
        return chunk(.init(), summary.finishReason, nil)
      }
    )
  }
}
