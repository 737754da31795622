import Generation
import HTTP
import JSON
import Thalamus

/// `POST /v1/responses`, as OpenAI's newer clients call it. Nothing is kept between requests.
struct ResponsesRoute: Sendable {
  let service: ThalamusService

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(ResponsesBody.self, from: request)
    let asked = service.request(
      model: body.model, input: .messages(body.messages), body.routing, body.fields)
    var parameters = asked.parameters
    parameters.tools = body.tools
    let answer = try await service.answer(asked.routing, parameters: parameters)
    let response = ResponseObject(decision: answer.decision, echoed: body.echoed)
    if body.streams {
      let stream = ResponsesStream(response) { answer.costUSD($0) }
      return .answered(
        by: answer.decision,
        AnswerStreaming(
          opening: stream.opening(), text: { text, _ in stream.text(text) },
          reasoning: { stream.reasoning($0) },
          toolCallStart: { stream.callStart(id: $0, name: $1) },
          toolCallArguments: { stream.callArguments($0) }, end: { stream.end($0) },
          failure: { stream.failure($0) }
        ).response(to: answer))
    }
    let whole = try await answer.collect()
    // Only what came last can have been cut off.
    let status = ResponseObject.status(whole.summary)
    var output: [JSONValue] = []
    if !whole.reasoning.isEmpty {
      let isLast = whole.text.isEmpty && whole.toolCalls.isEmpty
      output.append(response.reasoning(whole.reasoning, status: isLast ? status : "completed"))
    }
    if !whole.text.isEmpty {
      output.append(
        response.message(whole.text, status: whole.toolCalls.isEmpty ? status : "completed"))
    }
    for (index, call) in whole.toolCalls.enumerated() {
      let isLast = index == whole.toolCalls.count - 1
      output.append(ResponseObject.call(call, status: isLast ? status : "completed"))
    }
    return .answered(
      by: answer.decision,
      .json(
        response.json(output: output, summary: whole.summary, cost: answer.costUSD(whole.summary))
          .json))
  }
}
