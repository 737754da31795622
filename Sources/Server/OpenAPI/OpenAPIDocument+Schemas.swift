import JSON
import Routing

extension OpenAPIDocument {
  private typealias S = APISchema

  /// The document's schemas by their names.
  static let schemas: [APISchema.Field] = routing + requests + othersRequests + replies + errors

  // MARK: - What steers a decision

  private static var routing: [S.Field] {
    [
      (
        "Weights",
        S.object(
          Goal.allCases.map { ($0.rawValue, S.range(S.number, 0, GoalWeights.maximum)) },
          isOpen: false
        ).saying("What a goal is worth, in bits per byte")
      ),
      (
        "Constraints",
        S.object(
          [
            ("max_parameters", S.whole), ("local_only", S.flag), ("max_cost_usd", S.number),
            ("released_after", S.text.saying("A day, such as 2024-01-01")),
            ("licenses", S.list(of: S.text)), ("experts", S.list(of: S.text)),
            ("min_context", S.whole), ("min_density", S.range(S.number, 0, 1)),
            ("max_density", S.range(S.number, 0, 1)),
          ], isOpen: false
        ).saying("Limits that no score overrides")
      ),
      (
        "RoutingExtension",
        S.object(
          [
            ("flags", S.ref("Weights")), ("constraints", S.ref("Constraints")),
            ("strategy", strategy),
          ], isOpen: false
        ).saying("How the expert is chosen")
      ),
    ]
  }

  private static let strategy = S.text.saying("knn, kmeans, pilot, ridge, random or single:ID")
  private static let model = S.text.saying("auto, an expert's id, or an alias")

  /// Fields of every request for text.
  private static let generation: [S.Field] = [
    ("max_tokens", S.whole), ("max_completion_tokens", S.whole),
    ("temperature", S.range(S.number, 0, 100)), ("top_p", S.range(S.number, 0, 1)),
    ("top_k", S.whole), ("min_p", S.range(S.number, 0, 1)), ("repetition_penalty", S.number),
    ("frequency_penalty", S.number), ("presence_penalty", S.number),
    ("logit_bias", S.map(of: S.number).saying("By the chosen expert's token ids")),
    ("seed", S.whole), ("stop", S.anyOf(S.text, S.list(of: S.text))),
    ("response_format", S.object([("type", S.text)])), ("experts_k", S.whole), ("task", S.whole),
    ("expert_shares", S.flag),
    ("reasoning_effort", S.oneOf(["none", "minimal", "low", "medium", "high", "xhigh"])),
    ("thinking_budget_tokens", S.whole), ("chat_template_kwargs", S.object([])),
  ]

  private static let messages = S.list(of: S.ref("ChatMessage"))

  // MARK: - Requests

  /// Those of Thalamus's own routes: other fields are refused.
  private static var requests: [S.Field] {
    [
      (
        "RouteRequest",
        S.object(
          [
            ("prompt", S.text), ("messages", messages), ("generate", S.flag), ("stream", S.flag),
            ("strategy", strategy), ("flags", S.ref("Weights")),
            ("constraints", S.ref("Constraints")),
          ] + generation, isOpen: false
        ).saying("With either a prompt or messages")
      ),
      (
        "ParetoRequest",
        S.object(
          [
            ("prompt", S.text), ("goal", S.oneOf(Goal.ofExperts.map(\.rawValue))),
            ("since", S.text), ("constraints", S.ref("Constraints")), ("strategy", strategy),
            ("format", S.oneOf(["json", "svg", "html"])),
          ], isOpen: false)
      ),
      (
        "FeedbackRequest",
        S.object(
          [
            ("decision", S.text.saying("An answer's id")), ("score", S.range(S.number, -1, 1)),
            ("comment", S.text),
          ], required: ["decision", "score"], isOpen: false)
      ),
    ]
  }

  /// Those of other servers' routes: fields that are not known are passed over.
  private static var othersRequests: [S.Field] {
    openAIRequests + [
      (
        "MessagesRequest",
        S.object(
          messagesFields + [("max_tokens", S.whole), ("stream", S.flag)],
          required: ["model", "messages", "max_tokens"])
      ),
      ("CountTokensRequest", S.object(messagesFields, required: ["model", "messages"])),
    ] + ollamaRequests + [
      (
        "TokenizeRequest",
        S.object(
          [
            ("model", model), ("content", S.text), ("add_special", S.flag),
            ("parse_special", S.flag), ("with_pieces", S.flag),
          ], required: ["content"])
      ),
      (
        "DetokenizeRequest",
        S.object(
          [("model", model), ("tokens", S.list(of: S.whole))], required: ["model", "tokens"])
      ),
    ]
  }

  private static var openAIRequests: [S.Field] {
    let tokens = S.list(of: S.whole)
    return [
      (
        "ChatMessage",
        S.object(
          [
            ("role", S.oneOf(["system", "developer", "user", "assistant", "tool"])),
            (
              "content",
              S.any.saying("A text, or a list of parts: texts, and images as `image_url`")
            ),
            ("reasoning_content", S.text), ("tool_calls", S.list(of: S.object([]))),
            ("tool_call_id", S.text),
          ], required: ["role"])
      ),
      (
        "ChatRequest",
        S.object(
          [
            ("model", model), ("messages", messages), ("stream", S.flag), ("n", S.whole),
            ("stream_options", S.object([("include_usage", S.flag)])),
            ("tools", S.list(of: S.object([]))), ("tool_choice", S.any),
            ("parallel_tool_calls", S.flag), ("logprobs", S.flag), ("top_logprobs", S.whole),
            ("thalamus", S.ref("RoutingExtension")),
          ] + generation, required: ["messages"])
      ),
      (
        "CompletionRequest",
        S.object(
          [
            ("model", model),
            (
              "prompt",
              S.anyOf(S.text, S.list(of: S.text), tokens, S.list(of: tokens))
                .saying("Texts, or ids of the named expert's tokens")
            ),
            ("stream", S.flag), ("n", S.whole), ("echo", S.flag), ("logprobs", S.whole),
            ("stream_options", S.object([("include_usage", S.flag)])),
            ("thalamus", S.ref("RoutingExtension")),
          ] + generation, required: ["prompt"])
      ),
      (
        "ResponsesRequest",
        S.object(
          [
            ("model", model), ("input", S.any.saying("A text, or a list of items")),
            ("instructions", S.text), ("stream", S.flag), ("max_output_tokens", S.whole),
            ("tools", S.list(of: S.object([]))), ("tool_choice", S.any),
            ("parallel_tool_calls", S.flag), ("text", S.object([])),
            ("reasoning", S.object([("effort", S.text)])),
            ("thalamus", S.ref("RoutingExtension")),
          ], required: ["input"])
      ),
      (
        "EmbeddingsRequest",
        S.object(
          [
            ("input", S.anyOf(S.text, S.list(of: S.text))), ("model", S.text),
            ("encoding_format", S.oneOf(["float", "base64"])), ("dimensions", S.whole),
          ], required: ["input"])
      ),
    ]
  }

  private static let messagesFields: [S.Field] = [
    ("model", model), ("messages", S.list(of: S.object([("role", S.text)], required: ["role"]))),
    ("system", S.any.saying("A text, or a list of blocks")),
    ("stop_sequences", S.list(of: S.text)), ("temperature", S.number), ("top_p", S.number),
    ("top_k", S.whole), ("tools", S.list(of: S.object([]))), ("tool_choice", S.object([])),
    ("thinking", S.object([("type", S.text), ("budget_tokens", S.whole)])),
    ("output_config", S.object([])), ("thalamus", S.ref("RoutingExtension")),
  ]

  private static var ollamaRequests: [S.Field] {
    let common: [S.Field] = [
      ("model", model), ("stream", S.flag), ("options", S.object([])),
      ("format", S.any.saying("json, or a schema")), ("think", S.anyOf(S.flag, S.text)),
      ("keep_alive", S.any), ("thalamus", S.ref("RoutingExtension")),
    ]
    return [
      ("OllamaShowRequest", S.object([("model", model)])),
      (
        "OllamaChatRequest",
        S.object(
          common + [
            ("messages", S.list(of: S.object([("role", S.text), ("content", S.text)]))),
            ("tools", S.list(of: S.object([]))),
          ], required: ["model"])
      ),
      (
        "OllamaGenerateRequest",
        S.object(
          common + [("prompt", S.text), ("system", S.text), ("raw", S.flag)], required: ["model"])
      ),
      (
        "OllamaEmbedRequest",
        S.object(
          [
            ("model", S.text), ("input", S.anyOf(S.text, S.list(of: S.text))),
            ("prompt", S.text),
          ], required: ["model"])
      ),
    ]
  }

  // MARK: - Answers

  private static var replies: [S.Field] {
    [
      (
        "Readiness",
        S.object(
          [
            ("ready", S.flag), ("experts", S.map(of: S.text)), ("encoder", S.text),
            ("router", S.text), ("decision_log", S.text),
          ], required: ["ready", "experts"])
      ),
      (
        "Expert",
        S.object(
          [
            ("id", S.text), ("name", S.text),
            ("state", S.oneOf(["resident", "available", "unavailable"])),
            ("obstacle", S.text.saying("Why it cannot answer")),
            ("memory_bytes", S.whole.saying("What its model takes where it is loaded")),
            (
              "kv_cache_type",
              S.text.saying("How a loaded model holds keys and values: f16 or int8")
            ),
            ("measured", S.object([])),
            ("feedback", S.object([("answers", S.whole), ("mean_score", S.number)])),
          ], required: ["id", "state"])
      ),
      (
        "Decision",
        S.object(
          [
            ("strategy", S.text), ("router_version", S.text),
            (
              "experts",
              S.list(
                of: S.object(
                  [
                    ("expert", S.text), ("predicted_loss", S.number), ("uncertainty", S.number),
                  ], required: ["expert"]))
            ),
          ], required: ["strategy", "experts"])
      ),
      (
        "RouteReply",
        S.object(
          [
            ("id", S.text), ("expert", S.text), ("decision", S.ref("Decision")),
            (
              "completion",
              S.object(
                [("text", S.text), ("reasoning", S.text), ("finish_reason", S.text)],
                required: ["text", "finish_reason"])
            ),
            ("usage", S.ref("Usage")), ("timings", S.object([])),
          ], required: ["id", "expert", "decision", "timings"])
      ),
      (
        "Usage",
        S.object(
          [
            ("prompt_tokens", S.whole), ("completion_tokens", S.whole), ("total_tokens", S.whole),
            ("cost_usd", S.number),
          ], required: ["prompt_tokens", "completion_tokens", "total_tokens"])
      ),
      (
        "LoggedDecision",
        S.object(
          [
            ("id", S.text), ("time", S.text), ("prompt", S.text), ("expert", S.text),
            ("strategy", S.text), ("status", S.text), ("error", S.text),
            ("prompt_tokens", S.whole), ("completion_tokens", S.whole), ("total_ms", S.number),
            ("cost_usd", S.number), ("key_name", S.text),
          ], required: ["id", "time", "expert", "strategy", "status"])
      ),
      (
        "Spending",
        S.object(
          [
            ("budget_usd", S.number), ("period", S.text), ("spent_usd", S.number),
            ("remaining_usd", S.number), ("resets_at", S.text),
          ], required: ["period", "spent_usd"])
      ),
      (
        "KeyUsage",
        S.object(
          [
            (
              "keys",
              S.list(
                of: S.object(
                  [
                    ("name", S.text), ("admin", S.flag), ("requests_per_minute", S.whole),
                    ("spending", S.ref("Spending")),
                  ], required: ["name", "admin", "spending"]))
            ), ("server", S.ref("Spending")),
          ], required: ["keys"])
      ),
      (
        "FeedbackReply",
        S.object(
          [
            ("decision", S.text), ("expert", S.text), ("score", S.number), ("learned", S.flag),
            ("reason", S.text),
          ], required: ["decision", "expert", "score", "learned"])
      ),
      (
        "ChatReply",
        reply(
          "message",
          S.object(
            [
              ("role", S.text), ("content", S.any), ("reasoning_content", S.text),
              ("tool_calls", S.list(of: S.object([]))),
            ], required: ["role"]))
      ),
      ("CompletionReply", reply("text", S.text)),
      (
        "ResponsesReply",
        S.object(
          [
            ("id", S.text), ("object", S.text), ("status", S.text), ("model", S.text),
            ("output", S.list(of: S.object([("type", S.text)], required: ["type"]))),
          ], required: ["id", "status", "output"])
      ),
      (
        "EmbeddingsReply",
        S.object(
          [
            (
              "data",
              S.list(
                of: S.object(
                  [("index", S.whole), ("embedding", S.anyOf(S.list(of: S.number), S.text))],
                  required: ["index", "embedding"]))
            ), ("model", S.text),
          ], required: ["data", "model"])
      ),
      (
        "Message",
        S.object(
          [
            ("id", S.text), ("type", S.text), ("role", S.text), ("model", S.text),
            ("content", S.list(of: S.object([("type", S.text)], required: ["type"]))),
            ("stop_reason", S.any), ("usage", S.object([])),
          ], required: ["id", "type", "role", "model", "content", "usage"])
      ),
      (
        "OllamaReply",
        S.object(
          [
            ("model", S.text), ("created_at", S.text), ("done", S.flag), ("response", S.text),
            ("message", S.object([("role", S.text), ("content", S.text)])),
          ], required: ["model", "done"])
      ),
      (
        "TokenPiece",
        S.object(
          [("id", S.whole), ("piece", S.anyOf(S.text, S.list(of: S.whole)))],
          required: ["id", "piece"])
      ),
    ]
  }

  /// A reply of OpenAI's with choices.
  private static func reply(_ content: String, _ schema: JSONValue) -> JSONValue {
    S.object(
      [
        ("id", S.text), ("object", S.text), ("created", S.whole), ("model", S.text),
        (
          "choices",
          S.list(
            of: S.object(
              [
                ("index", S.whole), (content, schema), ("finish_reason", S.any),
                ("logprobs", S.any),
              ],
              required: ["index", content]))
        ), ("usage", S.ref("Usage")),
      ], required: ["id", "choices", "model"])
  }

  private static var errors: [S.Field] {
    let what: [S.Field] = [
      ("message", S.text), ("type", S.text), ("code", S.text), ("param", S.any),
    ]
    return [
      (
        "Error",
        S.object(
          [("error", S.object(what, required: ["message", "type", "code"]))], required: ["error"])
      ),
      (
        "AnthropicError",
        S.object(
          [
            ("type", S.oneOf(["error"])),
            (
              "error",
              S.object(
                [("type", S.text), ("message", S.text), ("details", S.object([]))],
                required: ["type", "message"])
            ),
          ], required: ["type", "error"])
      ),
      ("OllamaError", S.object([("error", S.text)], required: ["error"])),
    ]
  }
}
