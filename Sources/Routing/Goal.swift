import Foundation

/// What a caller may want besides the smallest loss. Each is a cost: less is better.
package enum Goal: String, Codable, CaseIterable, Sendable, CodingKeyRepresentable {
  case size, recency, security, latency, cost, verbosity, readability
  /// That the expert goes on that gave the conversation's last answer.
  case continuity

  /// The goals that compare experts whatever the conversation is: those of a Pareto front.
  package static let ofExperts = allCases.filter { $0 != .continuity }
}

/// What a request contributes to the goals' costs.
package struct GoalContext: Sendable, Equatable {
  package var promptTokens: Int
  /// Images that the prompt shows.
  package var imageCount = 0
  /// The request's `max_tokens`, which bounds the expected answer.
  package var maximumOutputTokens: Int?
  package var today: CalendarDate
  /// What the request may cost at most by somebody's budget; nil where there is none.
  package var remainingBudget: RemainingBudget?

  package init(
    promptTokens: Int, maximumOutputTokens: Int?, today: CalendarDate,
    remainingBudget: RemainingBudget? = nil
  ) {
    self.promptTokens = promptTokens
    self.maximumOutputTokens = maximumOutputTokens
    self.today = today
    self.remainingBudget = remainingBudget
  }
}

/// What is left of a budget.
package struct RemainingBudget: Sendable, Equatable {
  /// US dollars.
  package let usd: Double
  /// Whose it is and how large, such as `key 'alice', $5.0 a month`.
  package let of: String

  package init(usd: Double, of: String) {
    self.usd = usd
    self.of = of
  }
}

extension Goal {
  /// The cost in its own unit (``unit``), or nil where neither card nor measurement tells.
  package func rawCost(of candidate: Candidate, in context: GoalContext) -> Double? {
    let card = candidate.card
    let measured = candidate.statistics
    switch self {
    case .size:
      return card.activeParameters.flatMap { $0 > 0 ? log10(Double($0)) : nil }
    case .recency:
      return card.released.map { Double(context.today.daysSince1970 - $0.daysSince1970) }
    case .security:
      return card.effectiveSecurityLevel
    case .latency:
      guard
        let first = measured.firstTokenMilliseconds(promptTokens: context.promptTokens)
          ?? card.firstTokenMilliseconds,
        let each = measured.perTokenMilliseconds ?? card.perTokenMilliseconds
      else { return nil }
      let tokens = candidate.expectedOutputTokens(limit: context.maximumOutputTokens)
      return candidate.loadMilliseconds + first + each * max(0, tokens - 1)
    case .cost:
      return candidate.expectedCostUSD(in: context)
    case .verbosity:
      return measured.outputTokens ?? card.meanOutputTokens
    case .readability:
      // The score grows with ease, a cost must fall with it.
      return (measured.readingEase ?? card.readingEase).map { 100 - $0 }
    case .continuity:
      return candidate.gaveLastAnswer.map { $0 ? 0 : 1 }
    }
  }

  /// The unit of ``rawCost(of:in:)``.
  package var unit: String {
    switch self {
    case .size: "log10 of active parameters"
    case .recency: "days since release"
    case .security: "level, 0 in this process to 1 leaves the machine"
    case .latency: "expected milliseconds to answer"
    case .cost: "expected US dollars"
    case .verbosity: "mean output tokens"
    case .readability: "100 minus reading ease"
    case .continuity: "0 for who gave the last answer, 1 for others"
    }
  }

  /// Whether running tells the cost, and not the card.
  private var isMeasured: Bool {
    switch self {
    case .latency, .verbosity, .readability: true
    case .size, .recency, .security, .cost, .continuity: false
    }
  }

  /// The costs of the given experts, 0...1.
  ///
  /// What is measured is unknown of every expert at first, and that must not count against it: whoever
  /// answered first would be chosen ever after, and no other measured. Such a cost counts as the mean of the
  /// known ones; of latency, as what those take for the same number of active parameters.
  package func costs(_ raw: [Double?], of candidates: [Candidate]) -> [Double] {
    guard isMeasured else { return Self.scale(raw) }
    var raw = raw
    if self == .latency {
      var time = 0.0
      var parameters = 0.0
      for (raw, candidate) in zip(raw, candidates) {
        guard let raw, raw.isFinite, let active = candidate.card.activeParameters else { continue }
        time += raw
        parameters += Double(active)
      }
      if parameters > 0 {
        for index in raw.indices where raw[index] == nil {
          raw[index] = candidates[index].card.activeParameters.map {
            time * Double($0) / parameters
          }
        }
      }
    }
    let scaled = Self.scale(raw)
    let known = zip(raw, scaled).filter { $0.0?.isFinite == true }.map(\.1)
    let mean = known.reduce(0, +) / Double(max(1, known.count))
    return zip(raw, scaled).map { $0?.isFinite == true ? $1 : mean }
  }

  /// Scales raw costs to 0...1 over the given experts, smallest to 0, largest to 1.
  ///
  /// Where all are equal, all are 0: the goal then tells nothing. An unknown cost counts as the
  /// dearest, so that leaving a card empty never wins; where all are unknown, all are 0.
  package static func scale(_ raw: [Double?]) -> [Double] {
    let known = raw.compactMap { $0.flatMap { $0.isFinite ? $0 : nil } }
    guard let low = known.min(), let high = known.max() else {
      return Array(repeating: 0, count: raw.count)
    }
    return raw.map { value in
      guard let value, value.isFinite else { return 1 }
      return high > low ? (value - low) / (high - low) : 0
    }
  }
}

extension Candidate {
  /// Price of the prompt and of the expected answer.
  package func expectedCostUSD(in context: GoalContext) -> Double {
    let output = expectedOutputTokens(limit: context.maximumOutputTokens)
    return
      (Double(max(0, context.promptTokens)) * card.promptPriceUSDPerMillionTokens
      + output * card.completionPriceUSDPerMillionTokens) / 1e6
  }
}
