/// Every expert's predicted loss against one goal: the answer of `/pareto`.
package struct ParetoReport: Codable, Equatable, Sendable {
  package struct Point: Codable, Equatable, Sendable {
    package var expert: String
    package var eligible: Bool
    package var predictedLoss: Double?
    package var uncertainty: Double?
    /// The goal's cost in its own unit, and scaled to 0...1.
    package var raw: Double?
    package var cost: Double?
    package var onParetoFront: Bool
    /// The weights of the goal for which it would be chosen; nil for none. `maxWeight` is nil
    /// where there is no upper end.
    package var minWeight: Double?
    package var maxWeight: Double?
    /// The share of logged decisions that chose it, for a report over the log.
    package var share: Double?
    package var reason: IneligibilityReason?

    enum CodingKeys: String, CodingKey {
      case expert, eligible, uncertainty, raw, cost, share, reason
      case predictedLoss = "predicted_loss"
      case onParetoFront = "on_pareto_front"
      case minWeight = "min_weight"
      case maxWeight = "max_weight"
    }

    package init(
      expert: String, eligible: Bool = true, predictedLoss: Double?, uncertainty: Double? = nil,
      raw: Double?, cost: Double?, share: Double? = nil, reason: IneligibilityReason? = nil
    ) {
      self.expert = expert
      self.eligible = eligible
      self.predictedLoss = predictedLoss
      self.uncertainty = uncertainty
      self.raw = raw
      self.cost = cost
      self.share = share
      self.reason = reason
      onParetoFront = false
    }
  }

  package var goal: Goal
  package var unit: String
  package var points: [Point]

  /// From points without front and ranges, which are worked out here.
  package init(goal: Goal, points: [Point]) {
    self.goal = goal
    unit = goal.unit
    self.points = points
    let placed = points.indices.filter {
      points[$0].eligible && points[$0].predictedLoss != nil && points[$0].cost != nil
    }
    let losses = placed.map { points[$0].predictedLoss ?? .nan }
    let costs = placed.map { points[$0].cost ?? .nan }
    for place in ParetoFront.indices(zip(losses, costs).map { [$0, $1] }) {
      self.points[placed[place]].onParetoFront = true
    }
    let envelope = LowerEnvelope(losses: losses, costs: costs)
    for piece in envelope.pieces {
      self.points[placed[piece.index]].minWeight = piece.lower
      self.points[placed[piece.index]].maxWeight = piece.upper.isFinite ? piece.upper : nil
    }
  }

  /// For one prompt, from its decision. The other goals' weights do not count.
  package init(goal: Goal, decision: RoutingDecision) {
    self.init(
      goal: goal,
      points: decision.experts.map { result in
        Point(
          expert: result.expert, eligible: result.eligible, predictedLoss: result.predictedLoss,
          uncertainty: result.uncertainty, raw: result.goals[goal]?.raw,
          cost: result.goals[goal]?.cost, reason: result.reason)
      })
  }
}
