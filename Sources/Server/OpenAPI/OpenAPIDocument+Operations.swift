import HTTP
import JSON

extension OpenAPIDocument {
  /// Every route.
  static let operations: [OpenAPIOperation] = own + openAI + anthropic + ollama + llamaServer

  private typealias S = APISchema

  private static func plain(
    _ path: String, _ summary: String, _ contentType: String, isOpen: Bool = true
  ) -> OpenAPIOperation {
    OpenAPIOperation(
      method: .get, path: path, tag: "Thalamus", summary: summary,
      answers: [(contentType, S.text)], isOpen: isOpen)
  }

  private static var own: [OpenAPIOperation] {
    [
      plain("/", "A page to ask on, with the experts and the latest decisions", "text/html"),
      plain("/dashboard.js", "That page's program", "text/javascript"),
      plain("/healthz", "Whether the process answers", "text/plain"),
      plain("/health", "The same by another name", "text/plain"),
      OpenAPIOperation(
        .get, "/readyz", "Thalamus", "Whether it can route; 503 where it can't",
        answer: S.ref("Readiness")
      ).open,
      OpenAPIOperation(
        .get, "/openapi.json", "Thalamus", "This document", answer: S.object([])
      ).open,
      OpenAPIOperation(
        .post, "/route", "Thalamus", "Decide which expert does best on a prompt, and let it answer",
        body: "RouteRequest", answer: S.ref("RouteReply")
      ).streaming(),
      pareto(.get), pareto(.post),
      OpenAPIOperation(
        .get, "/experts", "Thalamus", "The experts: their cards, state and measurements",
        answer: S.object([("experts", S.list(of: S.ref("Expert")))], required: ["experts"])),
      OpenAPIOperation(
        .get, "/experts/{id}", "Thalamus", "One expert", answer: S.ref("Expert")),
      OpenAPIOperation(
        .get, "/decisions", "Thalamus", "The log, the latest first",
        query: [
          ("since", S.text.saying("A date or time")), ("expert", S.text), ("status", S.text),
          ("limit", S.whole), ("cursor", S.text.saying("The next_cursor of the page before")),
        ],
        answer: S.object(
          [("decisions", S.list(of: S.ref("LoggedDecision"))), ("next_cursor", S.text)],
          required: ["decisions"])),
      OpenAPIOperation(
        .get, "/decisions/{id}", "Thalamus", "One decision", answer: S.ref("LoggedDecision")),
      OpenAPIOperation(
        .post, "/feedback", "Thalamus", "What you think of an answer, for later decisions",
        body: "FeedbackRequest", answer: S.ref("FeedbackReply")),
      OpenAPIOperation(
        .get, "/usage", "Thalamus",
        "What your key has spent and may still spend; an admin's sees all",
        answer: S.ref("KeyUsage")),
      plain("/metrics", "Counters and times for Prometheus", "text/plain", isOpen: false),
    ]
  }

  private static func pareto(_ method: HTTPMethod) -> OpenAPIOperation {
    var operation = OpenAPIOperation(
      method, "/pareto", "Thalamus",
      "Predicted loss against a goal, for a prompt or over the log",
      query: method == .post
        ? []
        : ["prompt", "goal", "since", "strategy", "format"].map { ($0, S.text) },
      body: method == .post ? "ParetoRequest" : nil, answer: S.object([]))
    operation.answers += [("image/svg+xml", S.text), ("text/html", S.text)]
    return operation
  }

  private static var openAI: [OpenAPIOperation] {
    let tag = "OpenAI"
    return [
      OpenAPIOperation(
        .get, "/v1/models", tag,
        "The experts as models; in Anthropic's form where the header anthropic-version is sent",
        answer: S.object([("data", S.list(of: S.object([("id", S.text)], required: ["id"])))])),
      OpenAPIOperation(
        .get, "/v1/models/{id}", tag, "One of them",
        answer: S.object([("id", S.text)], required: ["id"])),
      OpenAPIOperation(
        .post, "/v1/chat/completions", tag, "Answer a chat", body: "ChatRequest",
        answer: S.ref("ChatReply")
      ).streaming(),
      OpenAPIOperation(
        .post, "/v1/responses", tag, "Answer a conversation, which is not kept",
        body: "ResponsesRequest", answer: S.ref("ResponsesReply")
      ).streaming(),
      OpenAPIOperation(
        .post, "/v1/completions", tag, "Continue a text as it stands", body: "CompletionRequest",
        answer: S.ref("CompletionReply")
      ).streaming(),
      OpenAPIOperation(
        .post, "/v1/embeddings", tag, "Embeddings of texts", body: "EmbeddingsRequest",
        answer: S.ref("EmbeddingsReply")),
    ]
  }

  private static var anthropic: [OpenAPIOperation] {
    [
      OpenAPIOperation(
        .post, "/v1/messages", "Anthropic", "Answer a conversation", body: "MessagesRequest",
        answer: S.ref("Message")
      ).streaming(),
      OpenAPIOperation(
        .post, "/v1/messages/count_tokens", "Anthropic", "Count a conversation's tokens",
        body: "CountTokensRequest",
        answer: S.object([("input_tokens", S.whole)], required: ["input_tokens"])),
    ]
  }

  private static var ollama: [OpenAPIOperation] {
    let tag = "Ollama"
    let lines = "application/x-ndjson"
    let models = S.object(
      [("models", S.list(of: S.object([("name", S.text)])))], required: ["models"])
    return [
      OpenAPIOperation(
        .get, "/api/version", tag, "A version that clients look for",
        answer: S.object([("version", S.text)], required: ["version"])),
      OpenAPIOperation(.get, "/api/tags", tag, "The experts as models", answer: models),
      OpenAPIOperation(.get, "/api/ps", tag, "Those that are loaded", answer: models),
      OpenAPIOperation(
        .post, "/api/show", tag, "One of them", body: "OllamaShowRequest", answer: S.object([])),
      OpenAPIOperation(
        .post, "/api/chat", tag, "Answer a chat", body: "OllamaChatRequest",
        answer: S.ref("OllamaReply")
      ).streaming(as: lines),
      OpenAPIOperation(
        .post, "/api/generate", tag, "Answer a prompt", body: "OllamaGenerateRequest",
        answer: S.ref("OllamaReply")
      ).streaming(as: lines),
      OpenAPIOperation(
        .post, "/api/embed", tag, "Embeddings of texts", body: "OllamaEmbedRequest",
        answer: S.object(
          [("embeddings", S.list(of: S.list(of: S.number)))], required: ["embeddings"])),
      OpenAPIOperation(
        .post, "/api/embeddings", tag, "The embedding of a text", body: "OllamaEmbedRequest",
        answer: S.object([("embedding", S.list(of: S.number))], required: ["embedding"])),
    ]
  }

  private static var llamaServer: [OpenAPIOperation] {
    [
      OpenAPIOperation(
        .post, "/tokenize", "llama-server", "A text in an expert's tokens",
        body: "TokenizeRequest",
        answer: S.object(
          [("tokens", S.list(of: S.anyOf(S.whole, S.ref("TokenPiece"))))], required: ["tokens"])),
      OpenAPIOperation(
        .post, "/detokenize", "llama-server", "The text of an expert's tokens",
        body: "DetokenizeRequest",
        answer: S.object([("content", S.text)], required: ["content"])),
    ]
  }
}
