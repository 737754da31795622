import Foundation
import Routing
import Testing

@Suite struct RouterTests {
  private func choice(_ router: any LossPredictor, _ example: TrainingExample) throws -> String? {
    try router.predict(example.input).min { $0.lossBitsPerByte < $1.lossBitsPerByte }?.expert
  }

  @Test(arguments: RoutingStrategy.trained)
  func plantedDomainsAreFound(strategy: RoutingStrategy) throws {
    let router = try RouterTraining.train(strategy, on: Planted.domains(count: 400, seed: 1))
    let held = try Planted.domains(count: 400, seed: 2).examples
    let right = try held.count { try choice(router, $0) == $0.bestExpert }
    #expect(Double(right) >= 0.95 * Double(held.count))
  }

  @Test func removingAnExpertChangesOnlyItsOwnPrompts() throws {
    let router = PilotRouter(training: try Planted.domains(count: 400, seed: 1))
    let without = router.removing("e1")
    #expect(without.experts == ["e0", "e2", "e3"])
    var moved = 0
    for example in try Planted.domains(count: 400, seed: 2).examples {
      let before = try choice(router, example)
      let after = try choice(without, example)
      if before == "e1" { moved += 1 } else { #expect(after == before) }
      #expect(after != "e1")
    }
    #expect(moved > 50)
  }

  @Test func anExpertIsAddedByItsPilotsAlone() throws {
    let set = try Planted.domains(count: 400, seed: 1)
    let router = PilotRouter(training: set)
    let pilot = set.examples[0].input.embedding
    let with = try router.adding("new", pilots: [pilot])
    #expect(try choice(with, set.examples[0]) == "new")
    #expect(throws: RoutingError.self) { try router.adding("new", pilots: [[1]]) }
    #expect(throws: RoutingError.self) { try router.adding("e1", pilots: [pilot]) }
  }

  /// Near prompts count more: a twin among the training prompts decides alone at a low temperature,
  /// and at a high one all neighbours have the same say.
  @Test func nearNeighboursCountMore() throws {
    let examples = [[1, 0] as [Float], [0.8, 0.6], [0, 1]].enumerated().map { index, vector in
      TrainingExample(
        promptHash: "\(index)", domain: "d", input: RouterInput(embedding: vector, text: "t"),
        losses: ["a": Double(index), "b": 1])
    }
    let set = try TrainingSet(examples: examples)
    let query = RouterInput(embedding: [1, 0], text: "t")
    func loss(_ temperature: Double) throws -> Double {
      let router = NearestNeighboursRouter(
        training: set, weighting: .init(neighbours: 3, temperature: temperature), centred: false)
      return try #require(try router.predict(query).first { $0.expert == "a" }).lossBitsPerByte
    }
    #expect(try loss(0.001) < 1e-6)
    #expect(try abs(loss(1000) - 1) < 1e-2)
    // exp(-0.2 / 0.2) and exp(-1 / 0.2) beside 1; embeddings are kept in half precision.
    let weights = [1, exp(-1.0), exp(-5.0)]
    let expected = (weights[1] + 2 * weights[2]) / weights.reduce(0, +)
    #expect(try abs(loss(0.2) - expected) < 1e-3)
  }

  /// What all prompts share does not decide: with a large common part every cosine is near 1, and
  /// around the mean they are what they were.
  @Test(arguments: [RoutingStrategy.knn, .kmeans, .pilot])
  func whatAllPromptsShareIsTakenOff(strategy: RoutingStrategy) throws {
    func shifted(_ examples: [TrainingExample]) -> [TrainingExample] {
      examples.map { example in
        var example = example
        let vector = example.input.embedding
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        example.input.embedding = vector.enumerated().map { $1 / length + ($0 % 2 == 0 ? 3 : -3) }
        return example
      }
    }
    let set = try Planted.domains(count: 400, seed: 1)
    let router = try RouterTraining.train(
      strategy, on: TrainingSet(examples: shifted(set.examples)))
    let held = shifted(try Planted.domains(count: 400, seed: 2).examples)
    let right = try held.count { try choice(router, $0) == $0.bestExpert }
    #expect(Double(right) >= 0.95 * Double(held.count))
    // As in an archive from before there was a centre.
    let stored = router.stored
    var old = stored
    old.tensors["embedding_mean"] = nil
    #expect(stored.tensors["embedding_mean"] != nil)
    let uncentred: any LossPredictor =
      switch strategy {
      case .knn: try NearestNeighboursRouter(stored: old)
      case .kmeans: try KMeansRouter(stored: old)
      default: try PilotRouter(stored: old)
      }
    #expect(try uncentred.predict(held[0].input).count == set.experts.count)
  }

  /// Whether near prompts should decide alone depends on the outcomes, and training finds out.
  @Test func theWeightingIsChosenByLeavingOut() throws {
    // Twins share their losses, and nothing else tells prompts apart.
    var generator = SeededGenerator(seed: 9)
    func example(_ vector: [Float], _ best: Int) -> TrainingExample {
      TrainingExample(
        promptHash: "\(vector)", domain: "d", input: RouterInput(embedding: vector, text: "t"),
        losses: ["a": best == 0 ? 0.5 : 1, "b": best == 1 ? 0.5 : 1])
    }
    let twins = (0..<100).flatMap { index -> [TrainingExample] in
      let vector = (0..<16).map { _ in Float(generator.nextUnit() - 0.5) }
      let other = vector.map { $0 + Float(generator.nextUnit() - 0.5) * 0.01 }
      let best = generator.next(below: 2)
      return [example(vector, best), example(other, best)]
    }
    let sharp = NearestNeighboursRouter(training: try TrainingSet(examples: twins)).weighting
    // Losses are chance but for one in three prompts: many have to be heard.
    let noisy = (0..<200).map { _ in
      let side = generator.next(below: 2)
      let vector = (0..<16).map { axis in
        Float(generator.nextUnit() - 0.5) + (axis == 0 ? Float(side * 2 - 1) : 0)
      }
      return example(vector, generator.next(below: 3) == 0 ? side : generator.next(below: 2))
    }
    let smooth = NearestNeighboursRouter(training: try TrainingSet(examples: noisy)).weighting
    #expect(sharp.temperature < smooth.temperature || sharp.neighbours < smooth.neighbours)
    #expect(smooth.neighbours >= 12)
  }

  /// Taking only the nearest, where all losses are known, is what sorting all of them gives.
  @Test func theNearestAreThoseOfTheWholeOrder() throws {
    let set = try Planted.domains(count: 200, seed: 4)
    let embeddings = set.examples.map(\.input.embedding)
    // Each prompt twice: likenesses are equal in pairs.
    let twice = (set.examples + set.examples).enumerated().map { index, example in
      var example = example
      example.losses = example.losses.mapValues { $0 + Double(index) * 0.001 }
      return example
    }
    // An expert that one prompt knows nothing of: the same numbers for the others, by sorting.
    let incomplete = twice.enumerated().map { index, example in
      var example = example
      example.losses["rare"] = index == 0 ? nil : 1
      return example
    }
    for neighbours in [1, 5, 12, 399, 400, 1000] {
      let weighting = NearestNeighboursRouter.Weighting(neighbours: neighbours, temperature: 0.1)
      let some = NearestNeighboursRouter(
        training: try TrainingSet(examples: twice), weighting: weighting)
      let all = NearestNeighboursRouter(
        training: try TrainingSet(examples: incomplete), weighting: weighting)
      for embedding in embeddings.prefix(20) {
        let input = RouterInput(embedding: embedding, text: "t")
        let expected = try all.predict(input).filter { $0.expert != "rare" }
        #expect(try some.predict(input) == expected)
      }
    }
  }

  /// Four domains, of which the first is easy to all, and an expert that was measured on that one alone.
  private func partlyMeasured(excess: Double, seed: UInt64) throws -> [TrainingExample] {
    try Planted.domains(count: 400, seed: seed).examples.map { example in
      var example = example
      let isEasy = example.domain == "d0"
      example.losses = example.losses.mapValues { $0 + (isEasy ? 0 : 2) }
      if isEasy { example.losses["part"] = (example.losses.values.min() ?? 0) + excess }
      return example
    }
  }

  /// It is compared by what it loses beyond the others: not by losses on easy prompts, which are less
  /// than anybody's on hard ones.
  @Test(arguments: [RoutingStrategy.knn, .ridge, .kmeans], [0.1, -0.3])
  func anExpertMeasuredOnEasyPromptsAlone(strategy: RoutingStrategy, excess: Double) throws {
    let set = try TrainingSet(examples: partlyMeasured(excess: excess, seed: 1))
    #expect(set.partlyMeasured.map(\.expert) == ["part"])
    #expect(set.partlyMeasured.map(\.prompts) == [100])
    let router = try RouterTraining.train(strategy, on: set)
    var chosen = ["d0": 0.0, "others": 0.0]
    for example in try partlyMeasured(excess: excess, seed: 2)
    where try choice(router, example) == "part" {
      chosen[example.domain == "d0" ? "d0" : "others", default: 0] += 1
    }
    // Of 100, and of 300; a cluster may hold prompts of two domains.
    if excess > 0 {
      #expect((chosen["d0"] ?? 0) <= (strategy == .kmeans ? 5 : 0))
    } else {
      #expect((chosen["d0"] ?? 0) >= 95)
    }
    #expect((chosen["others"] ?? 0) <= (excess > 0 ? 0 : 10))
  }

  @Test func baselinesOfPartlyMeasuredExperts() throws {
    // The worst of all, measured where everybody loses little.
    let set = try TrainingSet(examples: partlyMeasured(excess: 0.5, seed: 1))
    let baselines = RouterEvaluation.Baselines(training: set)
    #expect(baselines.bestSingle != "part")
    #expect(baselines.domainBest == ["d0": "e0", "d1": "e1", "d2": "e2", "d3": "e3"])
    // The best where it was measured, which is a quarter of the prompts.
    let good = RouterEvaluation.Baselines(
      training: try TrainingSet(examples: partlyMeasured(excess: -0.5, seed: 1)))
    #expect(good.bestSingle != "part")
    #expect(good.domainBest["d0"] == "part")
  }

  @Test func numbersThatNobodyMeasured() throws {
    let examples = try Planted.domains(count: 8, seed: 1).examples
    for loss in [-0.1, .nan, .infinity, 1e7] {
      var wrong = examples
      wrong[3].losses["e1"] = loss
      #expect(throws: RoutingError.self) { try TrainingSet(examples: wrong) }
    }
    for active: Float in [-1, .nan, .infinity, 1e9] {
      var wrong = examples
      wrong[3].input.activeExperts = active
      #expect(throws: RoutingError.self) { try TrainingSet(examples: wrong) }
    }
  }

  @Test func strategyNames() throws {
    for name in ["ridge", "knn", "kmeans", "pilot", "random", "single:a"] {
      #expect(try RoutingStrategy(name: name).name == name)
    }
    #expect(throws: RoutingError.self) { try RoutingStrategy(name: "best") }
    #expect(throws: RoutingError.self) { try RoutingStrategy(name: "single:") }
    #expect(throws: RoutingError.self) {
      try RouterTraining.train(.random, on: Planted.domains(count: 8, seed: 1))
    }
  }

  @Test func theSplitIsStableAndGroupsEqualPrompts() {
    let held = (0..<10_000).count { HeldOutSplit.holdsOut("prompt \($0)") }
    #expect((1_800...2_200).contains(held))
    #expect(HeldOutSplit.holdsOut("prompt 1") == HeldOutSplit.holdsOut("prompt 1"))
    #expect(StableHash.fnv1a("a") != StableHash.fnv1a("b"))
  }
}
