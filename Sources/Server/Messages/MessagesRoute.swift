import Generation
import HTTP
import JSON
import Library
import Thalamus

/// `POST /v1/messages` and `/v1/messages/count_tokens`, as Anthropic's clients call them.
struct MessagesRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(MessagesAnswerBody.self, from: request)
    let asked = self.asked(body.request, maxTokens: body.maxTokens)
    let answer = try await known {
      try await service.answer(asked.routing, parameters: asked.parameters)
    }
    let message = MessageObject(decision: answer.decision)
    var response: HTTPResponse
    if body.request.streams {
      let stream = MessagesStream(message, showsThinking: body.request.showsThinking) {
        answer.costUSD($0)
      }
      response = AnswerStreaming(
        opening: stream.opening(), text: { text, _ in stream.text(text) },
        reasoning: { stream.thinking($0) },
        toolCallStart: { stream.callStart(id: $0, name: $1) },
        toolCallArguments: { stream.callArguments($0) }, end: { stream.end($0) },
        failure: { MessagesStream.failure($0) }
      ).response(to: answer)
    } else {
      let whole = try await answer.collect()
      response = .json(
        message.json(
          content: MessageObject.content(whole, showsThinking: body.request.showsThinking),
          summary: whole.summary,
          cost: answer.costUSD(whole.summary)
        ).json)
    }
    // What Anthropic's clients show of a request: here the decision's id, as everywhere.
    response.headers.set("request-id", "req_\(answer.decision.id)")
    return .answered(by: answer.decision, response)
  }

  func countTokens(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(MessagesBody.self, from: request)
    let asked = self.asked(body, maxTokens: nil)
    let count = try await known {
      try await service.promptTokenCount(asked.routing, parameters: asked.parameters)
    }
    return .json(JSONValue.object([("input_tokens", .int(count))]).json)
  }

  private func asked(
    _ body: MessagesBody, maxTokens: Int?
  ) -> (routing: RoutingRequest, parameters: SamplingParameters) {
    var fields = body.fields
    fields.maxTokens = maxTokens
    var asked = service.request(
      model: body.model, input: .messages(body.messages), body.routing, fields)
    asked.parameters.tools = body.tools
    return asked
  }

  /// Anthropic's clients ask for models that are not here, some without a way to tell them another: the error says how
  /// such a name is given to one that is.
  private func known<Result>(_ work: () async throws -> Result) async throws -> Result {
    do {
      return try await work()
    } catch let error as LibraryError {
      var found = APIError(error)
      if case .unknownExpert(let id, _) = error, id.hasPrefix("claude") {
        found.message +=
          "; models.aliases in the configuration gives a model here that name too: [\(id.prefix(100))=auto]"
      }
      throw found
    }
  }
}
