import Generation
import JSON
import Synchronization
import Thalamus
import Tokenization

/// The events of a streamed `/v1/responses`: items that begin, grow and end, each event with its number.
final class ResponsesStream: Sendable {
  struct State {
    var sequence = 0
    /// Items that have ended.
    var output: [JSONValue] = []
    /// The text that is on its way; nil where none is.
    var text: String?
    /// The thinking that is on its way.
    var reasoning: String?
    var call: ToolCall?
  }

  let response: ResponseObject
  private let cost: @Sendable (GenerationSummary) -> Double?
  let state = Mutex(State())

  /// - Parameter cost: US dollars of an answer, where the expert has a price.
  init(_ response: ResponseObject, cost: @escaping @Sendable (GenerationSummary) -> Double?) {
    self.response = response
    self.cost = cost
  }

  static func event(
    _ type: String, _ state: inout State, _ fields: [(key: String, value: JSONValue)]
  ) -> [UInt8] {
    let pairs: [(key: String, value: JSONValue)] = [
      ("type", .string(type)), ("sequence_number", .int(state.sequence)),
    ]
    state.sequence += 1
    return ServerSentEvents.event(json: JSONValue.object(pairs + fields).json, name: type)
  }

  /// Before the expert has begun.
  func opening() -> [UInt8] {
    state.withLock { state in
      let object = response.json(output: [], summary: nil)
      return Self.event("response.created", &state, [("response", object)])
        + Self.event("response.in_progress", &state, [("response", object)])
    }
  }

  func text(_ piece: String) -> [UInt8] {
    guard !piece.isEmpty else { return [] }
    return state.withLock { state in
      var bytes = endReasoning(&state) + endCall(&state)
      let place = ("output_index", JSONValue.int(state.output.count))
      if state.text == nil {
        state.text = ""
        bytes += Self.event(
          "response.output_item.added", &state,
          [place, ("item", response.message(nil, status: "in_progress"))])
        bytes += Self.event(
          "response.content_part.added", &state,
          item(response.messageID, place) + [("part", ResponseObject.part(""))])
      }
      state.text?.append(piece)
      return bytes
        + Self.event(
          "response.output_text.delta", &state,
          item(response.messageID, place)
            + [("delta", .string(piece)), ("logprobs", .array([]))])
    }
  }

  func callStart(id: String, name: String) -> [UInt8] {
    state.withLock { state in
      var bytes =
        endReasoning(&state) + endCall(&state) + endText(&state, status: "completed")
      let call = ToolCall(id: id, name: name, arguments: "")
      state.call = call
      bytes += Self.event(
        "response.output_item.added", &state,
        [
          ("output_index", .int(state.output.count)),
          ("item", ResponseObject.call(call, status: "in_progress")),
        ])
      return bytes
    }
  }

  func callArguments(_ piece: String) -> [UInt8] {
    state.withLock { state in
      guard let call = state.call else { return [] }
      state.call?.arguments += piece
      return Self.event(
        "response.function_call_arguments.delta", &state,
        [
          ("item_id", .string(ResponseObject.itemID(of: call))),
          ("output_index", .int(state.output.count)), ("delta", .string(piece)),
        ])
    }
  }

  func end(_ summary: GenerationSummary) -> [UInt8] {
    state.withLock { state in
      let status = ResponseObject.status(summary)
      var bytes =
        endReasoning(&state, status: status) + endCall(&state, status: status)
        + endText(&state, status: status)
      bytes += Self.event(
        "response.\(status)", &state,
        [
          (
            "response",
            response.json(output: state.output, summary: summary, cost: cost(summary))
          )
        ])
      return bytes
    }
  }

  /// An answer that failed midway.
  func failure(_ error: APIError) -> [UInt8] {
    state.withLock { state in
      Self.event(
        "error", &state,
        [
          ("code", .string(error.code)), ("message", .string(error.message)),
          ("param", error.param.map { .string($0) } ?? .null),
          // Where clients of chat completions look for it.
          ("error", .object([("code", .string(error.code)), ("message", .string(error.message))])),
        ])
    }
  }

  func item(
    _ id: String, _ place: (key: String, value: JSONValue)
  ) -> [(key: String, value: JSONValue)] {
    [("item_id", .string(id)), place, ("content_index", .int(0))]
  }

  func endText(_ state: inout State, status: String) -> [UInt8] {
    guard let text = state.text else { return [] }
    state.text = nil
    let place = ("output_index", JSONValue.int(state.output.count))
    let message = response.message(text, status: status)
    let bytes =
      Self.event(
        "response.output_text.done", &state,
        item(response.messageID, place) + [("text", .string(text)), ("logprobs", .array([]))])
      + Self.event(
        "response.content_part.done", &state,
        item(response.messageID, place) + [("part", ResponseObject.part(text))])
      + Self.event("response.output_item.done", &state, [place, ("item", message)])
    state.output.append(message)
    return bytes
  }

  func endCall(_ state: inout State, status: String = "completed") -> [UInt8] {
    guard let call = state.call else { return [] }
    state.call = nil
    let place = ("output_index", JSONValue.int(state.output.count))
    let item = ResponseObject.call(call, status: status)
    let bytes =
      Self.event(
        "response.function_call_arguments.done", &state,
        [
          ("item_id", .string(ResponseObject.itemID(of: call))), place,
          ("name", .string(call.name)), ("arguments", .string(call.arguments)),
        ]) + Self.event("response.output_item.done", &state, [place, ("item", item)])
    state.output.append(item)
    return bytes
  }
}
