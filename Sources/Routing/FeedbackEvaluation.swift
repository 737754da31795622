/// What opinions are worth to a router that meets a kind of prompt that it was not trained on.
///
/// For each domain in turn a router is trained on the others. It then answers the domain's training prompts one after
/// the other, and is told of each choice whether it was good: within 2 % of the least measured loss, which stands for a
/// person who is content with the answer. It is never told of an expert that it did not choose. What that taught is
/// judged on the domain's held-out prompts, and on those of all other domains, which should lose nothing by it.
package struct FeedbackEvaluation: Codable, Equatable, Sendable {
  /// Mean regret in bits per byte, without opinions and with them.
  package struct Effect: Codable, Equatable, Sendable {
    package var prompts: Int
    package var without: RouterEvaluation.Estimate
    package var with: RouterEvaluation.Estimate
  }

  /// One domain that was new to the router.
  package struct Domain: Codable, Equatable, Sendable {
    package var domain: String
    /// Opinions given.
    package var opinions: Int
    /// Of these, good ones.
    package var good: Int
    /// On its held-out prompts.
    package var effect: Effect
  }

  package var domains: [Domain]
  /// On the held-out prompts of the domain that was new, over all domains.
  package var new: Effect
  /// On those of the domains that were not, over all domains.
  package var others: Effect

  /// A choice that loses no more than this share beyond the best one is good.
  private static let goodShare = 0.02

  /// - Parameters:
  ///   - training: Several examples may be one prompt's; the first is the prompt.
  ///   - train: Makes a router of the domains that are not new.
  ///   - resamples: Of the bootstrap that the intervals come from.
  package static func evaluate(
    training: [TrainingExample], heldOut: [TrainingExample], experts: [String],
    weighting: FeedbackMemory.Weighting = .init(), resamples: Int = 2000,
    train: (TrainingSet) throws -> any LossPredictor
  ) throws -> FeedbackEvaluation {
    var domains: [Domain] = []
    var new = Regrets()
    var others = Regrets()
    for domain in Set(training.map(\.domain)).sorted() {
      let known = training.filter { $0.domain != domain }
      let own = heldOut.filter { $0.domain == domain }
      guard !known.isEmpty, !own.isEmpty else { continue }
      let router = try train(try TrainingSet(examples: known, experts: experts))
      var memory = FeedbackMemory(space: router.space, weighting: weighting)
      var good = 0
      var seen: Set<String> = []
      let stream = training.filter {
        $0.domain == domain && seen.insert($0.promptHash).inserted
      }.sorted { $0.promptHash < $1.promptHash }
      for prompt in stream {
        guard let regret = try regret(of: router, memory, on: prompt) else { continue }
        let isGood = regret.loss <= goodShare * regret.best
        good += isGood ? 1 : 0
        try memory.remember(
          .init(
            decision: prompt.promptHash, expert: regret.expert, score: isGood ? 1 : -1,
            embedding: prompt.input.embedding))
      }
      var regrets = Regrets()
      for prompt in own { try regrets.add(prompt, router, memory) }
      for prompt in heldOut where prompt.domain != domain {
        try others.add(prompt, router, memory)
      }
      new.append(regrets)
      domains.append(
        Domain(
          domain: domain, opinions: memory.count, good: good,
          effect: regrets.effect(resamples: resamples)))
    }
    guard !domains.isEmpty else {
      throw RoutingError.notEnoughData(field: "domains", needed: 2, found: 1)
    }
    return FeedbackEvaluation(
      domains: domains, new: new.effect(resamples: resamples),
      others: others.effect(resamples: resamples))
  }

  /// What a router's choice loses beyond the best; nil where the chosen expert was not measured.
  private static func regret(
    of router: any LossPredictor, _ memory: FeedbackMemory?, on prompt: TrainingExample
  ) throws -> (expert: String, loss: Double, best: Double)? {
    let opinions = try memory?.opinions(on: prompt.input.embedding) ?? [:]
    let predicted = try router.predict(prompt.input)
    let losses = predicted.map { $0.lossBitsPerByte * (opinions[$0.expert]?.factor ?? 1) }
    guard !losses.isEmpty else { return nil }
    let expert = predicted[RouterEvaluation.chosenIndex(losses)].expert
    guard let loss = prompt.losses[expert], let best = prompt.losses.values.min() else {
      return nil
    }
    return (expert, loss - best, best)
  }

  /// Paired, a prompt a place.
  private struct Regrets {
    private var without: [Double] = []
    private var with: [Double] = []

    mutating func add(
      _ prompt: TrainingExample, _ router: any LossPredictor, _ memory: FeedbackMemory
    ) throws {
      guard let before = try regret(of: router, nil, on: prompt),
        let after = try regret(of: router, memory, on: prompt)
      else { return }
      without.append(before.loss)
      with.append(after.loss)
    }

    mutating func append(_ other: Regrets) {
      without += other.without
      with += other.with
    }

    func effect(resamples: Int) -> Effect {
      guard !with.isEmpty else {
        let nothing = RouterEvaluation.Estimate(mean: 0, lower: 0, upper: 0)
        return Effect(prompts: 0, without: nothing, with: nothing)
      }
      let estimates = RouterEvaluation.bootstrap([without, with], resamples: resamples, seed: 1)
      return Effect(prompts: with.count, without: estimates[0], with: estimates[1])
    }
  }
}

extension FeedbackEvaluation {
  /// A table, a domain a row.
  package var markdown: String {
    var lines = [
      "Mean regret in bits per byte on held-out prompts of a domain that the router was not trained on; in brackets: "
        + "the middle 95 % of bootstrap resamples.", "",
      "| new domain | opinions | good | regret without | with them |", "|---|---|---|---|---|",
    ]
    for row in domains {
      lines.append(
        "| \(row.domain) | \(row.opinions) | \(row.good) | \(row.effect.without.text) | \(row.effect.with.text) |"
      )
    }
    lines.append("| **all** | | | \(new.without.text) | **\(new.with.text)** |")
    lines.append(
      "| prompts of the other domains | | | \(others.without.text) | \(others.with.text) |")
    return lines.joined(separator: "\n")
  }
}
