import HTTP
import Library
import Routing
import Thalamus

/// `/experts`, and the same in OpenAI's words, or in Anthropic's, at `/v1/models`.
struct LibraryRoutes: Sendable {
  let service: ThalamusService

  private struct ExpertReply: Encodable {
    let card: ExpertCard
    let state: String
    let obstacle: String?
    let memory_bytes: Int?
    let kv_cache_type: String?
    let measured: ExpertStatistics
    let feedback: FeedbackReply?

    private enum CodingKeys: String, CodingKey {
      case state, obstacle, memory_bytes, kv_cache_type, measured, feedback
    }

    func encode(to encoder: any Encoder) throws {
      try card.encode(to: encoder)
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(state, forKey: .state)
      try values.encodeIfPresent(obstacle, forKey: .obstacle)
      try values.encodeIfPresent(memory_bytes, forKey: .memory_bytes)
      try values.encodeIfPresent(kv_cache_type, forKey: .kv_cache_type)
      try values.encode(measured, forKey: .measured)
      try values.encodeIfPresent(feedback, forKey: .feedback)
    }
  }

  /// What callers said of an expert's answers.
  private struct FeedbackReply: Encodable {
    let answers: Int
    /// -1 (bad) to 1 (good).
    let mean_score: Double
  }

  /// One whose card can't be used.
  private struct UnusableReply: Encodable {
    let id: String
    let state = ExpertState.State.unavailable.rawValue
    let obstacle: String

    private enum CodingKeys: String, CodingKey { case id, state, obstacle }
  }

  private enum AnyExpertReply: Encodable {
    case usable(ExpertReply)
    case unusable(UnusableReply)

    var id: String {
      switch self {
      case .usable(let reply): reply.card.id
      case .unusable(let reply): reply.id
      }
    }

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .usable(let reply): try reply.encode(to: encoder)
      case .unusable(let reply): try reply.encode(to: encoder)
      }
    }
  }

  private struct ExpertsReply: Encodable {
    let experts: [AnyExpertReply]
  }

  private func allExperts() async -> [AnyExpertReply] {
    let unusable = service.unusableExperts.map {
      AnyExpertReply.unusable(UnusableReply(id: $0.key, obstacle: $0.value))
    }
    return (await usableExperts().map(AnyExpertReply.usable) + unusable).sorted { $0.id < $1.id }
  }

  private func usableExperts() async -> [ExpertReply] {
    let tallies = await service.feedbackTallies()
    return await service.experts().map { expert in
      ExpertReply(
        card: expert.card, state: expert.state.rawValue, obstacle: expert.obstacle,
        memory_bytes: expert.residentBytes, kv_cache_type: expert.keyValueType,
        measured: expert.statistics,
        feedback: tallies[expert.card.id].map {
          FeedbackReply(answers: $0.answers, mean_score: $0.meanScore)
        })
    }
  }

  func experts(_ request: HTTPRequest) async throws -> HTTPResponse {
    JSONCoding.response(ExpertsReply(experts: await allExperts()))
  }

  func expert(_ request: HTTPRequest) async throws -> HTTPResponse {
    let id = request.pathParameters["id"] ?? ""
    let all = await allExperts()
    guard let found = all.first(where: { $0.id == id }) else {
      throw LibraryError.unknownExpert(id: id, known: all.map(\.id))
    }
    return JSONCoding.response(found)
  }

  private struct ModelReply: Encodable {
    let id: String
    let object = "model"
    let created: Int
    let owned_by: String

    private enum CodingKeys: String, CodingKey { case id, object, created, owned_by }
  }

  private struct ModelsReply: Encodable {
    let object = "list"
    let data: [ModelReply]

    private enum CodingKeys: String, CodingKey { case object, data }
  }

  /// `auto` first, so that a client's list shows the router as a model like any other.
  private func allModels() -> [ModelReply] {
    [ModelReply(id: "auto", created: 0, owned_by: "thalamus")]
      + service.cards.map { card in
        ModelReply(
          id: card.id, created: (card.released?.daysSince1970 ?? 0) * 86_400,
          owned_by: card.runs == .leavesMachine ? "remote" : "local")
      } + [
        // The one that `/v1/embeddings` knows.
        ModelReply(id: service.encoderName, created: 0, owned_by: "local")
      ] + service.aliases.names.map { ModelReply(id: $0, created: 0, owned_by: "thalamus") }
  }

  func models(_ request: HTTPRequest) async throws -> HTTPResponse {
    if request.isAnthropics { return try AnthropicModels(service: service).list(request) }
    return JSONCoding.response(ModelsReply(data: allModels()))
  }

  func model(_ request: HTTPRequest) async throws -> HTTPResponse {
    let id = request.pathParameters["id"] ?? ""
    if request.isAnthropics { return try AnthropicModels(service: service).one(id) }
    guard let found = allModels().first(where: { $0.id == id }) else {
      throw LibraryError.unknownExpert(id: id, known: allModels().map(\.id))
    }
    return JSONCoding.response(found)
  }
}
