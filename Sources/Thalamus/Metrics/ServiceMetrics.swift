import Generation
import Synchronization
import Transformer

/// What the service has done since it started, for `/metrics`. Kept in memory, and never more than a
/// few numbers an expert.
package final class ServiceMetrics: Sendable {
  /// How an answer ended.
  package enum Ending: String, Sendable, CaseIterable {
    case completed, cancelled, failed
  }

  /// What a caller thought of an answer.
  package enum Opinion: String, Sendable, CaseIterable {
    case good, neutral, bad
  }

  /// What one expert has done.
  package struct ExpertCounts: Sendable {
    /// Decisions for it.
    package var decisions = 0
    package var answers: [Ending: Int] = [:]
    /// What callers said of its answers.
    package var opinions: [Opinion: Int] = [:]
    package var promptTokens = 0
    /// Of these, tokens that an earlier request had left in the cache.
    package var reusedPromptTokens = 0
    package var draftedTokens = 0
    package var acceptedDraftTokens = 0
    package var completionTokens = 0
    /// US dollars by the expert's prices.
    package var costUSD = 0.0
    /// What the gates of a mixture of experts chose.
    package var gates = GateStatistics()
    /// From submission to the first token.
    package var firstToken = DurationHistogram()
    /// From the first token to the last, a token.
    package var perToken = DurationHistogram()

    package init() {}
  }

  /// What one key was used for.
  package struct KeyCounts: Sendable {
    package var answers: [Ending: Int] = [:]
    package var promptTokens = 0
    package var completionTokens = 0
    package var costUSD = 0.0

    package init() {}
  }

  package struct Snapshot: Sendable {
    package var experts: [String: ExpertCounts] = [:]
    /// Decisions of each strategy.
    package var strategies: [String: Int] = [:]
    package var decisionTime = DurationHistogram()
    package var embeddingTime = DurationHistogram()
    /// Answers to requests with a key that has a name.
    package var keys: [String: KeyCounts] = [:]
    /// Answers that run now.
    package var running = 0
  }

  private let state = Mutex(Snapshot())

  package init() {}

  package var snapshot: Snapshot { state.withLock { $0 } }

  func note(_ decision: Decision, answering: Bool) {
    state.withLock { state in
      state.experts[decision.expert, default: ExpertCounts()].decisions += 1
      // An expert that the caller named is no strategy of routing, and has a label of its own.
      let strategy = decision.routing.strategy.name
      let name = strategy.hasPrefix("single:") ? "single" : strategy
      state.strategies[name, default: 0] += 1
      if let milliseconds = decision.routing.milliseconds {
        state.decisionTime.record(seconds: milliseconds / 1000)
      }
      if decision.embeddingMilliseconds > 0 {
        state.embeddingTime.record(seconds: decision.embeddingMilliseconds / 1000)
      }
      if answering { state.running += 1 }
    }
  }

  func note(score: Double, expert: String) {
    let opinion = score > 0 ? Opinion.good : score < 0 ? .bad : .neutral
    state.withLock {
      $0.experts[expert, default: ExpertCounts()].opinions[opinion, default: 0] += 1
    }
  }

  func note(
    _ ending: Ending, summary: GenerationSummary?, expert: String, keyName: String? = nil,
    costUSD: Double? = nil
  ) {
    state.withLock { state in
      state.running -= 1
      if let keyName {
        state.keys[keyName, default: KeyCounts()].note(ending, summary, costUSD: costUSD)
      }
      var counts = state.experts[expert] ?? ExpertCounts()
      counts.answers[ending, default: 0] += 1
      counts.costUSD += costUSD ?? 0
      if let summary {
        counts.promptTokens += summary.promptTokens
        counts.reusedPromptTokens += summary.reusedPromptTokens
        counts.draftedTokens += summary.draftedTokens
        counts.acceptedDraftTokens += summary.acceptedDraftTokens
        counts.completionTokens += summary.completionTokens
        if let gates = summary.gateStatistics { counts.gates.merge(gates) }
        if summary.completionTokens > 0 {
          counts.firstToken.record(seconds: summary.timings.firstTokenMilliseconds / 1000)
        }
        if summary.completionTokens > 1 {
          counts.perToken.record(
            seconds: summary.timings.decodeMilliseconds / 1000
              / Double(summary.completionTokens - 1))
        }
      }
      state.experts[expert] = counts
    }
  }
}

extension ServiceMetrics.KeyCounts {
  fileprivate mutating func note(
    _ ending: ServiceMetrics.Ending, _ summary: GenerationSummary?, costUSD: Double?
  ) {
    answers[ending, default: 0] += 1
    promptTokens += summary?.promptTokens ?? 0
    completionTokens += summary?.completionTokens ?? 0
    self.costUSD += costUSD ?? 0
  }
}
