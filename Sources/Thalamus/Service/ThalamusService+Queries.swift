import Foundation
import Library
import Routing

/// An expert as `/experts` shows it.
package struct ExpertState: Sendable {
  package enum State: String, Sendable {
    /// Loaded, or being loaded.
    case resident
    /// Loaded at its first request.
    case available
    case unavailable
  }

  package let card: ExpertCard
  package let state: State
  /// Why it cannot answer.
  package let obstacle: String?
  /// Bytes that its model takes in this process; nil where it isn't loaded, or runs elsewhere.
  package let residentBytes: Int?
  /// How its model holds keys and values, such as f16; nil where it isn't loaded, or runs elsewhere.
  package let keyValueType: String?
  package let statistics: ExpertStatistics
}

/// Whether the server can route, and what stands in its way.
package struct Readiness: Sendable {
  package let isReady: Bool
  /// State by expert.
  package let experts: [String: String]
  package let encoder: String
  package let router: String
  package let decisionLog: String
}

extension ThalamusService {
  /// The cards of the experts that the caller may ask.
  package var cards: [ExpertCard] {
    let cards = library.manifests.map(\.card)
    guard let limits = APIKey.current?.constraints, !limits.isEmpty else { return cards }
    let context = GoalContext(
      promptTokens: 0, maximumOutputTokens: 0, today: CalendarDate(Date()))
    return cards.filter { limits.objection(to: Candidate(card: $0), in: context) == nil }
  }

  /// Why experts are left out whose cards can't be used, by their ids.
  package var unusableExperts: [String: String] { library.unusable }

  package func experts() async -> [ExpertState] {
    let resident = await library.resident
    let bytes = await library.residentBytes
    let types = await library.keyValueTypes
    return library.manifests.map { manifest in
      let id = manifest.card.id
      let obstacle = library.obstacle(to: manifest)
      return ExpertState(
        card: manifest.card,
        state: resident.contains(id) ? .resident : obstacle == nil ? .available : .unavailable,
        obstacle: obstacle, residentBytes: bytes[id], keyValueType: types[id],
        statistics: statistics.of(id))
    }
  }

  package func readiness() async -> Readiness {
    let experts = await experts()
    let strategy = (try? RoutingStrategy(name: configuration.router.strategy)) ?? .ridge
    let router = routers[strategy]
    return Readiness(
      isReady: router != nil && experts.contains { $0.state != .unavailable },
      experts: Dictionary(
        uniqueKeysWithValues: experts.map { ($0.card.id, $0.obstacle ?? $0.state.rawValue) }
      ).merging(unusableExperts) { known, _ in known },
      encoder: encoder.id,
      router: router?.manifest.version ?? "no trained router for '\(strategy.name)'",
      decisionLog: logState)
  }

  package var encoderName: String { encoder.id }
  /// Numbers of an embedding.
  package var encoderDimension: Int { encoder.dimension }

  /// Sentence embeddings of texts, in their order.
  ///
  /// - Parameter depth: Layers of the encoder to go through; nil for all.
  package func embed(
    _ texts: [String], depth: Int? = nil
  ) async throws -> SentenceEncoder.Embedded {
    do {
      return try await encoder.embed(texts, depth: depth)
    } catch let error as CancellationError {
      throw error
    } catch {
      throw ServiceError.encoder(problem: "\(error)")
    }
  }

  /// Predicted loss against a goal for one prompt; nothing is logged.
  package func pareto(_ request: RoutingRequest, goal: Goal) async throws -> ParetoReport {
    ParetoReport(goal: goal, decision: try await makeDecision(request).routing)
  }
}
