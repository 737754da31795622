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
    let answer = try await service.answer(routing, parameters: parameters)
    let usage = { @Sendable (summary: GenerationSummary) in
      UsageBody(
        summary, costUSD: answer.costUSD(summary), expertShares: body.fields.reportsExpertShares)
    }
    if body.streams {
      return .answered(
        by: answer.decision, Self.stream(answer, usage: body.includesUsage ? usage : nil))
    }
    let whole = try await answer.collect()
    let logprobs = body.logprobs.map { _ in ChatLogprobs(whole.logprobs, answer.bytes) }
    return .answered(
      by: answer.decision,
      JSONCoding.response(
        ChatCompletionReply(
          answer.decision, whole, logprobs: logprobs, usage: usage(whole.summary))))
  }

  /// - Parameter usage: nil where the client did not ask for it.
  private static func stream(
    _ answer: Answer, usage: (@Sendable (GenerationSummary) -> UsageBody)?
  ) -> HTTPResponse {
    let decision = answer.decision
    let calls = Mutex(0)
    let chunk: @Sendable (ChatCompletionChunk.Delta, FinishReason?, ChatLogprobs?) -> [UInt8] = {
      delta, reason, logprobs in
      ServerSentEvents.event(
        ChatCompletionChunk(
          decision,
          choices: [
            .init(
              delta: delta, finish_reason: reason?.openAIName, stop_reason: reason?.stopText,
              logprobs: logprobs)
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
        var end = chunk(.init(), summary.finishReason, nil)
        if let usage {
          end += ServerSentEvents.event(
            ChatCompletionChunk(decision, choices: [], usage: usage(summary)))
        }
        return end + ServerSentEvents.done
      }
    ).response(to: answer)
  }
}
