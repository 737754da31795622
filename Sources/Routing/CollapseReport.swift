/// Which experts a router chooses as one goal's weight changes.
///
/// Routers that regress losses tend to send everything to the dearest expert once the goal's weight
/// is small (the budget is large). The row of weight 0 beside the oracle's shares shows whether this
/// one does.
package struct CollapseReport: Codable, Equatable, Sendable {
  package struct Row: Codable, Equatable, Sendable {
    package var weight: Double
    /// Share of prompts by expert.
    package var shares: [String: Double]
    /// Mean true loss of the choices, bits per byte, and mean scaled cost.
    package var meanLoss: Double
    package var meanCost: Double

    enum CodingKeys: String, CodingKey {
      case weight, shares
      case meanLoss = "mean_loss"
      case meanCost = "mean_cost"
    }
  }

  package var rows: [Row]
  /// Share of prompts for which each expert is truly the best.
  package var oracleShares: [String: Double]

  enum CodingKeys: String, CodingKey {
    case rows
    case oracleShares = "oracle_shares"
  }

  /// At weight 0 nearly all prompts go to one expert although the oracle would spread them.
  package var hasCollapsed: Bool {
    guard let free = rows.first(where: { $0.weight == 0 }),
      let top = free.shares.max(by: { $0.value < $1.value })
    else { return false }
    return top.value > 0.95 && (oracleShares[top.key] ?? 0) < 0.8
  }

  /// - Parameter costs: each expert's cost, scaled to 0...1.
  package init(
    _ prompts: [EvaluatedPrompt], costs: [String: Double],
    weights: [Double] = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]
  ) {
    let experts = costs.keys.sorted()
    let used = prompts.filter { prompt in
      experts.allSatisfy { prompt.losses[$0] != nil && prompt.predicted[$0] != nil }
    }
    let share = 1 / Double(max(1, used.count))
    var oracle: [String: Double] = [:]
    for prompt in used where !experts.isEmpty {
      let best = RouterEvaluation.chosenIndex(experts.map { prompt.losses[$0] ?? .infinity })
      oracle[experts[best], default: 0] += share
    }
    oracleShares = oracle
    rows = weights.sorted().map { weight in
      var row = Row(weight: weight, shares: [:], meanLoss: 0, meanCost: 0)
      for prompt in used where !experts.isEmpty {
        let totals = experts.map {
          (prompt.predicted[$0] ?? .infinity) + weight * (costs[$0] ?? 0)
        }
        let expert = experts[RouterEvaluation.chosenIndex(totals)]
        row.shares[expert, default: 0] += share
        row.meanLoss += share * (prompt.losses[expert] ?? 0)
        row.meanCost += share * (costs[expert] ?? 0)
      }
      return row
    }
  }
}
