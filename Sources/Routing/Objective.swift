/// The routing objective: predicted loss + sum over goals of weight x cost; the smallest wins.
package enum Objective {
  /// Everything a decision is made from.
  package struct Request: Sendable {
    package var candidates: [Candidate]
    package var predictions: [LossPrediction]
    package var preferences: RoutingPreferences
    package var context: GoalContext
    package var strategy: RoutingStrategy
    package var routerVersion: String?
    /// What callers think of the experts' answers to prompts like this one, by expert.
    package var opinions: [String: FeedbackOpinion] = [:]
    /// For the strategy `random`; the same seed chooses the same.
    package var seed: UInt64

    package init(
      candidates: [Candidate], predictions: [LossPrediction],
      preferences: RoutingPreferences = RoutingPreferences(), context: GoalContext,
      strategy: RoutingStrategy = .ridge, routerVersion: String? = nil, seed: UInt64 = 0
    ) {
      self.candidates = candidates
      self.predictions = predictions
      self.preferences = preferences
      self.context = context
      self.strategy = strategy
      self.routerVersion = routerVersion
      self.seed = seed
    }
  }

  /// Decides.
  ///
  /// Ties go to the smaller predicted loss, then to fewer active parameters, then to the id that
  /// sorts first, so that a decision never depends on the library's order. An expert that the
  /// router does not know, and whose card expects no loss ratio, is not eligible while it knows any of the
  /// others; where it knows none, the goals alone decide, with a predicted loss of nil.
  package static func decide(_ request: Request) throws(RoutingError) -> RoutingDecision {
    let preferences = request.preferences
    try checkNames(request)

    var losses: [String: LossPrediction] = [:]
    for prediction in request.predictions where prediction.lossBitsPerByte.isFinite {
      losses[prediction.expert] = prediction
    }
    let assumed = assumedLosses(request.candidates, losses)
    losses.merge(assumed) { known, _ in known }
    var feedback: [String: RoutingDecision.FeedbackTerm] = [:]
    for (id, opinion) in request.opinions {
      guard let loss = losses[id]?.lossBitsPerByte else { continue }
      losses[id]?.lossBitsPerByte *= opinion.factor
      feedback[id] = .init(
        score: opinion.score, evidence: opinion.evidence, term: loss * (opinion.factor - 1))
    }
    var reasons = request.candidates.map {
      preferences.constraints.objection(to: $0, in: request.context)
    }
    let someKnown = request.candidates.indices.contains {
      reasons[$0] == nil && losses[request.candidates[$0].card.id] != nil
    }
    if someKnown, needsPredictions(request.strategy) {
      for index in reasons.indices where reasons[index] == nil {
        if losses[request.candidates[index].card.id] == nil { reasons[index] = .noPrediction }
      }
    }
    if case .single(let id) = request.strategy {
      // Whatever else speaks against the others: they were not asked for.
      for index in reasons.indices where request.candidates[index].card.id != id {
        reasons[index] = .notAmongNamedExperts
      }
    }
    let eligible = request.candidates.indices.filter { reasons[$0] == nil }
    guard !eligible.isEmpty else {
      throw .noEligibleExpert(
        request.candidates.indices.compactMap { index in
          reasons[index].map {
            ExpertIneligibility(expert: request.candidates[index].card.id, reason: $0)
          }
        })
    }

    var results = request.candidates.indices.map { index in
      let id = request.candidates[index].card.id
      return RoutingDecision.ExpertResult(
        expert: id, eligible: reasons[index] == nil,
        predictedLoss: losses[id]?.lossBitsPerByte,
        uncertainty: assumed[id] == nil ? losses[id]?.standardError : nil,
        isAssumed: assumed[id] == nil ? nil : true, feedback: feedback[id],
        goals: [:], total: nil, onParetoFront: nil, reason: reasons[index])
    }
    // An expert without prediction among others that have one ranks last (strategy `random`).
    for index in eligible {
      results[index].total = results[index].predictedLoss ?? (someKnown ? nil : 0)
    }
    for goal in Goal.allCases {
      let raw = eligible.map { goal.rawCost(of: request.candidates[$0], in: request.context) }
      let weight = preferences.weights[goal]
      for (place, cost) in goal.costs(raw, of: eligible.map { request.candidates[$0] }).enumerated()
      {
        let index = eligible[place]
        results[index].goals[goal] = .init(
          weight: weight, raw: raw[place], cost: cost, term: weight * cost)
        results[index].total = results[index].total.map { $0 + weight * cost }
      }
    }

    let ranked = eligible.sorted { left, right in
      precedes(results[left], results[right], request.candidates[left], request.candidates[right])
    }
    let front = ParetoFront.indices(
      eligible.map { index in
        [results[index].predictedLoss ?? (someKnown ? .nan : 0)]
          + preferences.weights.active.map { results[index].goals[$0]?.cost ?? 0 }
      })
    for (place, index) in eligible.enumerated() {
      results[index].onParetoFront = front.contains(place)
    }

    let choice: Int
    if request.strategy == .random {
      var generator = SeededGenerator(seed: request.seed)
      choice = eligible[generator.next(below: eligible.count)]
    } else {
      choice = ranked[0]
    }
    let runnerUp = ranked.first { $0 != choice }
    return RoutingDecision(
      expert: results[choice].expert, strategy: request.strategy,
      routerVersion: request.routerVersion,
      onParetoFront: results[choice].onParetoFront ?? false,
      runnerUp: runnerUp.map { results[$0].expert },
      margin: runnerUp.flatMap { second in
        results[second].total.flatMap { total in results[choice].total.map { total - $0 } }
      },
      experts: results,
      flags: preferences.weights.given.map {
        .init(
          goal: $0.goal, weight: $0.weight,
          source: preferences.weightSources[$0.goal] ?? .configuration)
      },
      constraints: preferences.constraints.stated.map {
        .init(
          constraint: $0.key, value: $0.value,
          source: preferences.constraintSources[$0.key] ?? .configuration)
      },
      ignoredFlags: preferences.ignoredFlags, milliseconds: nil)
  }

  /// Losses of the experts that the router was not trained on, by what their cards expect. They go by the prompt too:
  /// where all that the router knows do badly, an expert that is better by a share is better by more, and is worth
  /// more of whatever it costs.
  private static func assumedLosses(
    _ candidates: [Candidate], _ losses: [String: LossPrediction]
  ) -> [String: LossPrediction] {
    guard let least = candidates.compactMap({ losses[$0.card.id]?.lossBitsPerByte }).min() else {
      return [:]
    }
    var found: [String: LossPrediction] = [:]
    for card in candidates.map(\.card) where losses[card.id] == nil {
      guard let ratio = card.expectedLossRatio else { continue }
      found[card.id] = LossPrediction(
        expert: card.id, lossBitsPerByte: ratio * least, standardError: 0)
    }
    return found
  }

  private static func needsPredictions(_ strategy: RoutingStrategy) -> Bool {
    switch strategy {
    case .ridge, .knn, .kmeans, .pilot: true
    case .random, .single: false
    }
  }

  /// A name that is no expert's is the caller's slip, not an empty choice.
  private static func checkNames(_ request: Request) throws(RoutingError) {
    let known = Set(request.candidates.map(\.card.id))
    if case .single(let id) = request.strategy, !known.contains(id) { throw .unknownExpert(id) }
    guard let named = request.preferences.constraints.experts else { return }
    if let stranger = named.subtracting(known).min(), named.isDisjoint(with: known) {
      throw .unknownExpert(stranger)
    }
  }

  private static func precedes(
    _ left: RoutingDecision.ExpertResult, _ right: RoutingDecision.ExpertResult,
    _ leftCandidate: Candidate, _ rightCandidate: Candidate
  ) -> Bool {
    if left.total != right.total { return (left.total ?? .infinity) < (right.total ?? .infinity) }
    if left.predictedLoss != right.predictedLoss {
      return (left.predictedLoss ?? .infinity) < (right.predictedLoss ?? .infinity)
    }
    let leftSize = leftCandidate.card.activeParameters ?? .max
    let rightSize = rightCandidate.card.activeParameters ?? .max
    return leftSize != rightSize ? leftSize < rightSize : left.expert < right.expert
  }
}
