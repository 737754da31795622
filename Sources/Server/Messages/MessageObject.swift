import Generation
import JSON
import Thalamus
import Tokenization

/// The `message` of Anthropic's API, whole or on its way.
struct MessageObject: Sendable {
  let decision: Decision

  /// - Parameters:
  ///   - summary: Nil while the answer is on its way.
  ///   - cost: US dollars, where the expert has a price.
  func json(
    content: [JSONValue], summary: GenerationSummary?, cost: Double? = nil
  ) -> JSONValue {
    .object(
      [
        ("id", .string("msg_\(decision.id)")), ("type", .string("message")),
        ("role", .string("assistant")),
        // The expert that answers, not `auto`.
        ("model", .string(decision.expert)), ("content", .array(content)),
      ] + Self.stop(summary) + [("usage", Self.usage(summary, cost: cost))])
  }

  /// Why an answer ended.
  static func stop(_ summary: GenerationSummary?) -> [(key: String, value: JSONValue)] {
    [
      ("stop_reason", summary.map { .string(reason($0.finishReason)) } ?? .null),
      ("stop_sequence", summary?.finishReason.stopText.map { .string($0) } ?? .null),
    ]
  }

  private static func reason(_ reason: FinishReason) -> String {
    switch reason {
    case .endToken, .layoutStop, .formatComplete: "end_turn"
    case .stopString: "stop_sequence"
    case .toolCalls, .reported("tool_calls"), .reported("function_call"): "tool_use"
    case .maxTokens: "max_tokens"
    case .contextLimit, .memoryLimit: "model_context_window_exceeded"
    case .reported("content_filter"): "refusal"
    case .reported: "end_turn"
    }
  }

  /// Anthropic counts apart what the cache had of a prompt. Of an answer on its way nothing is counted yet.
  static func usage(_ summary: GenerationSummary?, cost: Double?) -> JSONValue {
    let reused = summary?.reusedPromptTokens ?? 0
    var pairs: [(key: String, value: JSONValue)] = [
      ("input_tokens", .int((summary?.promptTokens ?? 0) - reused)),
      ("cache_creation_input_tokens", .int(0)), ("cache_read_input_tokens", .int(reused)),
      ("output_tokens", .int(summary?.completionTokens ?? 0)),
    ]
    if let cost { pairs.append(("cost_usd", .double(cost))) }
    return .object(pairs)
  }

  static func text(_ text: String) -> JSONValue {
    .object([("type", .string("text")), ("text", .string(text))])
  }

  /// Anthropic signs what its models think; here nobody asks for a signature back.
  static func thinking(_ text: String) -> JSONValue {
    .object([
      ("type", .string("thinking")), ("thinking", .string(text)), ("signature", .string("")),
    ])
  }

  static func call(id: String, name: String, input: JSONValue) -> JSONValue {
    .object([
      ("type", .string("tool_use")), ("id", .string(id)), ("name", .string(name)),
      ("input", input),
    ])
  }

  /// The blocks of an answer. A call that was cut off is none: what came of its input is no JSON.
  static func content(_ answer: Answer.Whole, showsThinking: Bool) -> [JSONValue] {
    var blocks: [JSONValue] = []
    if showsThinking, !answer.reasoning.isEmpty { blocks.append(thinking(answer.reasoning)) }
    if !answer.text.isEmpty { blocks.append(text(answer.text)) }
    for call in answer.toolCalls {
      guard let input = try? JSONParser.parse(Array(call.arguments.utf8)), case .object = input
      else { continue }
      blocks.append(Self.call(id: call.id, name: call.name, input: input))
    }
    return blocks
  }
}
