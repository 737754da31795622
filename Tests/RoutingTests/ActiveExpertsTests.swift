import Foundation
import Routing
import Testing

/// A mixture's mean number of active experts as a feature of routers.
@Suite struct ActiveExpertsTests {
  static let strategies = RoutingStrategy.trained.filter(\.canUseActiveExperts)

  /// How often the choice is right on fresh prompts.
  private func accuracy(_ router: any LossPredictor, on set: TrainingSet) throws -> Double {
    var right = 0
    for example in set.examples {
      let best = try router.predict(example.input).min { $0.lossBitsPerByte < $1.lossBitsPerByte }
      if best?.expert == example.bestExpert { right += 1 }
    }
    return Double(right) / Double(set.examples.count)
  }

  @Test(arguments: strategies) func theFeatureDecidesWhereDifficultyDoes(
    strategy: RoutingStrategy
  ) throws {
    let fresh = try Planted.difficulty(count: 300, seed: 2)
    let told = try RouterTraining.train(strategy, on: Planted.difficulty(count: 400, seed: 1))
    let blind = try RouterTraining.train(
      strategy, on: Planted.difficulty(count: 400, seed: 1, isTold: false))
    #expect(try accuracy(told, on: fresh) > 0.9)
    #expect(try accuracy(blind, on: fresh) < 0.7)

    // One prompt, said to be easy and said to be hard.
    var input = fresh.examples[0].input
    func choice(_ active: Float?) throws -> String? {
      input.activeExperts = active
      return try told.predict(input).min { $0.lossBitsPerByte < $1.lossBitsPerByte }?.expert
    }
    #expect(try choice(1.2) == "small" && choice(3.8) == "large")
    // A router that was not told of it leaves it alone.
    input.activeExperts = 1.2
    let easy = try blind.predict(input)
    input.activeExperts = 3.8
    #expect(try blind.predict(input) == easy)
  }

  /// Without the number a router answers as for a prompt of mean difficulty, or by likeness alone.
  @Test(arguments: strategies) func aMissingNumberIsNoError(strategy: RoutingStrategy) throws {
    let set = try Planted.difficulty(count: 200, seed: 1)
    let router = try RouterTraining.train(strategy, on: set)
    var input = set.examples[0].input
    input.activeExperts = nil
    let predicted = try router.predict(input)
    #expect(predicted.count == 2 && predicted.allSatisfy { $0.lossBitsPerByte.isFinite })
    if strategy == .ridge {
      let numbers = set.examples.compactMap(\.input.activeExperts)
      input.activeExperts = numbers.reduce(0, +) / Float(numbers.count)
      for (a, b) in zip(predicted, try router.predict(input)) {
        #expect(abs(a.lossBitsPerByte - b.lossBitsPerByte) < 1e-4)
      }
    }
  }

  @Test(arguments: strategies) func itIsStored(strategy: RoutingStrategy) throws {
    let set = try Planted.difficulty(count: 200, seed: 1)
    let router = try RouterTraining.train(strategy, on: set)
    let archive = try RouterArchive.encode(
      router, encoder: .init(name: "e", revision: "r", dimension: 16),
      training: .init(files: [], prompts: 200, domains: [:], date: CalendarDate(Date())),
      gateExpert: "mixture")
    let loaded = try RouterArchive.decode(manifest: archive.manifest, weights: archive.weights)
    #expect(loaded.manifest.gateExpert == "mixture")
    for example in set.examples.prefix(20) {
      for (a, b) in zip(
        try loaded.predictor.predict(example.input), try router.predict(example.input))
      {
        #expect(a.expert == b.expert && abs(a.lossBitsPerByte - b.lossBitsPerByte) < 1e-3)
      }
    }
  }

  /// A number that tells nothing is not believed.
  @Test func noiseGetsNoWeight() throws {
    let domains = try Planted.domains(count: 300, seed: 1)
    var generator = SeededGenerator(seed: 5)
    let noisy = domains.examples.map { example in
      var example = example
      example.input.activeExperts = Float(generator.nextUnit())
      return example
    }
    let router = NearestNeighboursRouter(training: try TrainingSet(examples: noisy))
    let fresh = try Planted.domains(count: 200, seed: 2)
    #expect(try accuracy(router, on: fresh) > 0.95)
  }
}
