import Routing
import Testing

@Suite struct RouterEvaluationTests {
  static func prompts(_ count: Int) -> [EvaluatedPrompt] {
    var generator = SeededGenerator(seed: 21)
    return (0..<count).map { index in
      let domain = index % 2
      let losses = [
        "a": domain == 0 ? 1.0 : 1.5, "b": domain == 0 ? 1.4 : 1.0, "c": 1.3,
      ].mapValues { $0 + 0.02 * generator.nextUnit() }
      return EvaluatedPrompt(
        domain: "d\(domain)", losses: losses,
        predicted: losses.mapValues { $0 + 0.15 * generator.nextNormal() })
    }
  }

  let baselines = RouterEvaluation.Baselines(
    bestSingle: "a", domainBest: ["d0": "a", "d1": "b"])

  @Test func agreesWithCountingByHand() throws {
    let prompts = [
      EvaluatedPrompt(domain: "x", losses: ["a": 1, "b": 2], predicted: ["a": 1, "b": 2]),
      EvaluatedPrompt(domain: "x", losses: ["a": 1, "b": 1.01], predicted: ["a": 3, "b": 2]),
      EvaluatedPrompt(domain: "x", losses: ["a": 3, "b": 1], predicted: ["a": 1, "b": 2]),
      EvaluatedPrompt(domain: "x", losses: ["a": 3], predicted: ["a": 1, "b": 2]),
    ]
    let result = try RouterEvaluation.evaluate(
      prompts, experts: ["a", "b"],
      baselines: .init(bestSingle: "b", domainBest: ["x": "a"]))
    #expect(result.prompts == 3 && result.incomplete == 1)
    let router = try #require(result.router)
    #expect(abs(router.agreement.mean - 1 / 3) < 1e-12)
    #expect(abs(router.regret.mean - 2.01 / 3) < 1e-12)
    #expect(abs(router.withinTwoPercent.mean - 2 / 3) < 1e-12)
    let random = result.policies[1]
    #expect(abs(random.regret.mean - (0.5 + 0.005 + 1) / 3) < 1e-12)
    #expect(abs(random.agreement.mean - 0.5) < 1e-12)
    let single = try #require(result.policies.first { $0.name.contains("best single") })
    #expect(abs(single.regret.mean - 1.01 / 3) < 1e-12)
    #expect(abs(result.regretDifference.mean - 1.0 / 3) < 1e-12)
  }

  @Test func aGoodRouterBeatsTheBestSingleExpertWithCertainty() throws {
    let prompts = Self.prompts(600)
    let result = try RouterEvaluation.evaluate(
      prompts, experts: ["a", "b", "c"], baselines: baselines)
    #expect(result.regretDifference.upper < 0)
    #expect(result.regretDifference.lower < result.regretDifference.mean)
    let again = try RouterEvaluation.evaluate(
      prompts, experts: ["a", "b", "c"], baselines: baselines)
    #expect(again == result)
    #expect(result.domains.map(\.domain) == ["d0", "d1"])
    for text in ["| router |", "best single", "| d1 | 300 |", "held-out prompts"] {
      #expect(result.markdown.contains(text))
    }
  }

  @Test func theBootstrapIntervalHasTheKnownWidth() throws {
    // The mean of n coin throws has a standard error of 0.5 / sqrt(n).
    let column = (0..<400).map { Double($0 % 2) }
    let estimate = try #require(
      RouterEvaluation.bootstrap([column], resamples: 2000, seed: 5).first)
    #expect(abs((estimate.upper - estimate.lower) - 2 * 1.96 * 0.5 / 20) < 0.012)
  }

  @Test func baselinesComeFromTraining() throws {
    let baselines = RouterEvaluation.Baselines(training: try Planted.domains(count: 80, seed: 1))
    #expect(baselines.domainBest == ["d0": "e0", "d1": "e1", "d2": "e2", "d3": "e3"])
  }

  @Test func collapseIsSeen() {
    let prompts = Self.prompts(200)
    let costs = ["a": 1.0, "b": 0.0, "c": 0.5]
    let report = CollapseReport(prompts, costs: costs)
    #expect(!report.hasCollapsed)
    #expect(zip(report.rows, report.rows.dropFirst()).allSatisfy { $0.meanCost >= $1.meanCost })
    #expect(report.rows.last?.shares["b"].map { $0 > 0.9 } == true)
    let collapsed = prompts.map {
      EvaluatedPrompt(
        domain: $0.domain, losses: $0.losses, predicted: ["a": 0, "b": 1, "c": 1])
    }
    #expect(CollapseReport(collapsed, costs: costs).hasCollapsed)
  }

  @Test(arguments: Perturbation.allCases)
  func perturbationsAreSmallAndRepeatable(kind: Perturbation) {
    let text = "the quick brown fox jumps over the lazy dog, again and again, until évening 🙂 "
    let long = String(repeating: text, count: 5)
    let changed = kind.apply(to: long, seed: 3)
    #expect(changed != long)
    #expect(changed == kind.apply(to: long, seed: 3))
    #expect(abs(changed.count - long.count) < long.count / 5)
    _ = kind.apply(to: "", seed: 1)
  }

  @Test func flipRates() throws {
    let set = try Planted.domains(count: 200, seed: 1)
    let router = PilotRouter(training: set)
    let same = set.examples.map { ($0.input, $0.input) }
    #expect(try FlipRate.measure(router, pairs: same) == 0)
    let shifted = zip(set.examples, set.examples.dropFirst()).map { ($0.input, $1.input) }
    #expect(try FlipRate.measure(router, pairs: Array(shifted)) > 0.9)
    #expect(throws: RoutingError.self) { try FlipRate.measure(router, pairs: []) }
  }
}
