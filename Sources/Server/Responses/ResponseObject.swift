import Foundation
import Generation
import JSON
import Thalamus
import Tokenization

/// The `response` of `/v1/responses`, whole or on its way.
struct ResponseObject: Sendable {
  let decision: Decision
  let echoed: [(key: String, value: JSONValue)]

  var id: String { "resp_\(decision.id)" }
  var messageID: String { "msg_\(decision.id)" }
  var reasoningID: String { "rs_\(decision.id)" }

  /// - Parameters:
  ///   - summary: Nil while it is in progress.
  ///   - cost: US dollars, where the expert has a price.
  func json(
    output: [JSONValue], summary: GenerationSummary?, cost: Double? = nil
  ) -> JSONValue {
    let cut = summary.flatMap(Self.cut)
    var pairs: [(key: String, value: JSONValue)] = [
      ("id", .string(id)), ("object", .string("response")),
      ("created_at", .int(Int(decision.time.timeIntervalSince1970))),
      ("status", .string(summary.map(Self.status) ?? "in_progress")),
      ("error", .null),
      (
        "incomplete_details",
        cut.map { .object([("reason", .string($0))]) } ?? .null
      ),
      // The expert that answers, not `auto`.
      ("model", .string(decision.expert)), ("output", .array(output)),
      ("previous_response_id", .null), ("store", .bool(false)),
    ]
    pairs += echoed
    pairs.append(("usage", summary.map { Self.usage($0, cost) } ?? .null))
    return .object(pairs)
  }

  /// What cut an answer off; nil for one that is whole.
  private static func cut(_ summary: GenerationSummary) -> String? {
    switch summary.finishReason.openAIName {
    case "length": "max_output_tokens"
    case "content_filter": "content_filter"
    default: nil
    }
  }

  /// Of an answer, and of the item that it ended with.
  static func status(_ summary: GenerationSummary) -> String {
    cut(summary) == nil ? "completed" : "incomplete"
  }

  private static func usage(_ summary: GenerationSummary, _ cost: Double?) -> JSONValue {
    var pairs: [(key: String, value: JSONValue)] = [
      ("input_tokens", .int(summary.promptTokens)),
      (
        "input_tokens_details",
        .object([
          ("cached_tokens", .int(summary.reusedPromptTokens)), ("cache_write_tokens", .int(0)),
        ])
      ),
      ("output_tokens", .int(summary.completionTokens)),
      ("output_tokens_details", .object([("reasoning_tokens", .int(summary.reasoningTokens))])),
      ("total_tokens", .int(summary.promptTokens + summary.completionTokens)),
    ]
    if let cost { pairs.append(("cost_usd", .double(cost))) }
    return .object(pairs)
  }

  /// The item that has the answer's text; with nil for one that has none yet.
  func message(_ text: String?, status: String) -> JSONValue {
    .object([
      ("id", .string(messageID)), ("type", .string("message")), ("status", .string(status)),
      ("role", .string("assistant")), ("content", .array(text.map { [Self.part($0)] } ?? [])),
    ])
  }

  /// The item that has what was thought; with nil for one that has nothing yet.
  func reasoning(_ text: String?, status: String) -> JSONValue {
    .object([
      ("id", .string(reasoningID)), ("type", .string("reasoning")), ("status", .string(status)),
      ("summary", .array([])),
      ("content", .array(text.map { [Self.reasoningPart($0)] } ?? [])),
    ])
  }

  static func reasoningPart(_ text: String) -> JSONValue {
    .object([("type", .string("reasoning_text")), ("text", .string(text))])
  }

  static func part(_ text: String) -> JSONValue {
    .object([
      ("type", .string("output_text")), ("text", .string(text)), ("annotations", .array([])),
      ("logprobs", .array([])),
    ])
  }

  static func call(_ call: ToolCall, status: String) -> JSONValue {
    .object([
      ("id", .string(itemID(of: call))), ("type", .string("function_call")),
      ("status", .string(status)), ("call_id", .string(call.id)), ("name", .string(call.name)),
      ("arguments", .string(call.arguments)),
    ])
  }

  static func itemID(of call: ToolCall) -> String { "fc_" + call.id }
}
