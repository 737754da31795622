import Foundation
import Generation
import HTTP
import JSON
import Library
import Routing
import Thalamus

/// Ollama's own API, for programs that speak no other: chats, prompts, embeddings, and which models there are. What it has
/// for fetching, making and deleting models is not here.
struct OllamaRoutes: Sendable {
  let service: ThalamusService

  /// Of Ollama, whose clients look at it before they ask for what came later.
  private static let version = "0.12.0"

  func version(_ request: HTTPRequest) async throws -> HTTPResponse {
    Self.json([("version", .string(Self.version))])
  }

  func chat(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(OllamaChatBody.self, from: request)
    return try await answer(
      body.request, input: body.messages.isEmpty ? nil : .messages(body.messages),
      tools: body.tools, form: .chat)
  }

  func generate(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(OllamaGenerateBody.self, from: request)
    return try await answer(body.request, input: body.input, tools: nil, form: .generate)
  }

  private func answer(
    _ body: OllamaRequest, input: PromptInput?, tools: ToolUse?, form: OllamaReply.Form
  ) async throws -> HTTPResponse {
    let model = service.aliases.tagged(body.model)
    guard let input else {
      // Ollama's command line asks so for a model to be loaded, or let go.
      if model != "auto" {
        // What is loaded is everybody's affair, and loading one model may let go another.
        guard APIKey.currentIsAdmin else {
          throw APIError(
            status: .forbidden, message: "this key may not load models or let them go",
            code: "permission_denied")
        }
        if body.unloads {
          try await service.library.unload(model)
        } else {
          _ = try await service.library.expert(model)
        }
      }
      return .json(
        OllamaReply.nothing(model: model, form, reason: body.unloads ? "unload" : "load"))
    }
    let generation = service.configuration.generation
    var parameters = body.options.parameters(
      defaultMaxTokens: generation.defaultMaxTokens,
      defaultTemperature: generation.defaultTemperature)
    parameters.format = body.format
    parameters.tools = tools
    parameters.reasoning = body.reasoning
    let routing = body.routing.routingRequest(
      model: model, input: input,
      maxTokens: parameters.maxTokens ?? generation.defaultMaxTokens, seed: parameters.seed)
    let answer = try await service.answer(routing, parameters: parameters)
    let reply = OllamaReply(answer.decision, form)
    guard body.streams else {
      return .answered(
        by: answer.decision, .json(reply.whole(try await answer.collect())))
    }
    return .answered(
      by: answer.decision,
      AnswerStreaming(
        opening: [], text: { text, _ in reply.text(text) }, reasoning: { reply.reasoning($0) },
        toolCallStart: { reply.callStart(id: $0, name: $1) },
        toolCallArguments: { reply.callArguments($0) }, end: { reply.end($0) },
        contentType: OllamaReply.linesType, failure: { OllamaReply.error($0) + [10] }
      ).response(to: answer))
  }

  func embed(_ request: HTTPRequest) async throws -> HTTPResponse {
    let start = ContinuousClock.now
    let body = try JSONCoding.decode(OllamaEmbedBody.self, from: request)
    let embedded = try await embed(body)
    let duration = start.duration(to: .now) / .nanoseconds(1)
    return Self.json([
      ("model", .string(service.encoderName)),
      ("embeddings", .array(embedded.vectors.map(Self.numbers))),
      ("total_duration", .int(Int(duration))), ("load_duration", .int(0)),
      ("prompt_eval_count", .int(embedded.tokenCount)),
    ])
  }

  /// The older route, of one text.
  func embeddings(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(OllamaEmbedBody.self, from: request)
    let embedded = try await embed(body)
    return Self.json([("embedding", Self.numbers(embedded.vectors[0]))])
  }

  private func embed(_ body: OllamaEmbedBody) async throws -> SentenceEncoder.Embedded {
    let model = service.aliases.tagged(body.model)
    guard model == service.encoderName || model == "auto" else {
      throw APIError(
        status: .notFound,
        message: "no encoder '\(model.prefix(100))'; known: \(service.encoderName)",
        code: "model_not_found", param: "model")
    }
    return try await service.embed(body.texts)
  }

  private static func numbers(_ vector: [Float]) -> JSONValue {
    .array(vector.map { .double(Double($0)) })
  }

  // MARK: - Models

  func tags(_ request: HTTPRequest) async throws -> HTTPResponse {
    let names = ["auto"] + service.cards.map(\.id) + [service.encoderName] + service.aliases.names
    return Self.json([("models", .array(names.map { model($0) }))])
  }

  /// Those that are loaded.
  func running(_ request: HTTPRequest) async throws -> HTTPResponse {
    let resident = await service.library.resident
    let bytes = await service.library.residentBytes
    return Self.json([
      (
        "models",
        .array(
          resident.sorted().map {
            // When one is let go isn't known beforehand, and all are in the machine's memory.
            model(
              $0, size: bytes[$0] ?? 0,
              with: [
                ("expires_at", .string("2100-01-01T00:00:00Z")), ("size_vram", .int(0)),
              ])
          })
      )
    ])
  }

  func show(_ request: HTTPRequest) async throws -> HTTPResponse {
    struct Body: Decodable {
      let model: String?
      let name: String?
    }
    let body = try JSONCoding.decode(Body.self, from: request)
    guard let asked = body.model ?? body.name else {
      throw APIError.badRequest("'model' is missing", code: "missing_field", param: "model")
    }
    let id = service.aliases.tagged(asked)
    let isEncoder = id == service.encoderName
    let manifest = isEncoder || id == "auto" ? nil : try service.library.manifest(id)
    let card = manifest?.card
    let thinks = manifest.map(ChatLayout.thinks) ?? false
    var information: [(key: String, value: JSONValue)] = []
    if let count = card?.totalParameters {
      information.append(("general.parameter_count", .int(count)))
    }
    if let length = card?.contextLength {
      information += [
        ("general.architecture", .string("thalamus")), ("thalamus.context_length", .int(length)),
      ]
    }
    return Self.json([
      ("modelfile", .string("")), ("parameters", .string("")), ("template", .string("")),
      ("license", .string(card?.license ?? "")), ("details", details(of: card)),
      ("model_info", .object(information)),
      (
        "capabilities",
        .array(
          (isEncoder
            ? ["embedding"]
            : ["completion", "tools"] + (thinks ? ["thinking"] : [])
              + (card?.readsImages == true ? ["vision"] : []))
            .map { .string($0) })
      ),
    ])
  }

  private func model(
    _ name: String, size: Int? = nil, with more: [(key: String, value: JSONValue)] = []
  ) -> JSONValue {
    let manifest = try? service.library.manifest(service.aliases.model(name))
    let size =
      size
      ?? (manifest?.modelParts ?? []).reduce(0) { sum, path in
        sum + ((try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0)
      }
    let released = manifest?.card.released.map { "\($0)T00:00:00Z" } ?? "1970-01-01T00:00:00Z"
    let pairs: [(key: String, value: JSONValue)] = [
      ("name", .string(name)), ("model", .string(name)), ("modified_at", .string(released)),
      // Clients show its beginning: something that stands for the model, and no hash of its file.
      ("size", .int(size)), ("digest", .string(SHA256.hex(of: name))),
      ("details", details(of: manifest?.card)),
    ]
    return .object(pairs + more)
  }

  private func details(of card: ExpertCard?) -> JSONValue {
    let millions = card?.totalParameters.map { "\(($0 + 500_000) / 1_000_000)M" } ?? ""
    return .object([
      ("parent_model", .string("")), ("format", .string("")), ("family", .string("")),
      ("families", .array([])), ("parameter_size", .string(millions)),
      ("quantization_level", .string("")),
    ])
  }

  private static func json(_ pairs: [(key: String, value: JSONValue)]) -> HTTPResponse {
    .json(JSONValue.object(pairs).json)
  }
}
