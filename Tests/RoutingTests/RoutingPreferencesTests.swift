import Foundation
import Routing
import Testing

@Suite struct RoutingPreferencesTests {
  @Test func jsonWinsOverPromptOverConfiguration() throws {
    let merged = RoutingPreferences.merge(
      defaults: RoutingDefaults(weights: try GoalWeights([.size: 0.1, .cost: 0.1, .latency: 0.1])),
      prompt: PromptFlags.parse("[Flag: size=0.2] [Flag: cost=0.2]"),
      jsonWeights: try GoalWeights([.size: 0.3]))
    #expect(merged.weights[.size] == 0.3 && merged.weightSources[.size] == .json)
    #expect(merged.weights[.cost] == 0.2 && merged.weightSources[.cost] == .prompt)
    #expect(merged.weights[.latency] == 0.1 && merged.weightSources[.latency] == .configuration)
  }

  @Test func promptFlagsOnlyTighten() {
    let merged = RoutingPreferences.merge(
      prompt: PromptFlags.parse(
        "[Flag: max-params=1B] [Flag: max-cost=0.5] [Flag: local=false] [Flag: experts=b,c]"),
      jsonConstraints: Constraints(
        maxParameters: 300_000_000, localOnly: true, maxCostUSD: 1, experts: ["a", "b"]))
    #expect(
      merged.constraints
        == Constraints(
          maxParameters: 300_000_000, localOnly: true, maxCostUSD: 0.5, experts: ["b"]))
    #expect(merged.constraintSources[.maxParameters] == .json)
    #expect(merged.constraintSources[.maxCostUSD] == .prompt)
    #expect(merged.ignoredFlags.map(\.text) == ["max-params=1B", "local=false"])
  }

  @Test func promptFlagsNeverLoosenARandomConstraint() throws {
    var generator = SeededGenerator(seed: 5)
    let bodies = [
      "max-params=1B", "max-params=1M", "local=false", "local only", "max-cost=9", "max-cost=0",
      "released-after=2000", "released-after=2025", "licenses=mit", "licenses=other,apache-2.0",
      "experts=e1,e9", "min-context=1", "min-context=1M", "max-density=1", "min-density=0.1",
    ]
    for _ in 0..<500 {
      let (candidates, _) = ObjectiveTests.random(&generator, count: 8)
      var json = Constraints()
      if generator.next(below: 2) == 0 { json.maxParameters = 200_000_000 }
      if generator.next(below: 2) == 0 { json.experts = ["e1", "e2", "e3"] }
      if generator.next(below: 2) == 0 { json.licenses = ["Apache-2.0"] }
      if generator.next(below: 2) == 0 { json.maxCostUSD = 0.00005 }
      let text = (0..<3).map { _ in "[Flag: \(bodies[generator.next(below: bodies.count)])]" }
      let context = try ObjectiveTests.context()
      let without = RoutingPreferences.merge(jsonConstraints: json).constraints
      let with = RoutingPreferences.merge(
        prompt: PromptFlags.parse(text.joined()), jsonConstraints: json
      ).constraints
      for candidate in candidates where without.objection(to: candidate, in: context) != nil {
        #expect(with.objection(to: candidate, in: context) != nil, "\(text)")
      }
    }
  }

  @Test func theOperatorsLimitsHoldAgainstJSON() {
    let merged = RoutingPreferences.merge(
      defaults: RoutingDefaults(
        constraints: Constraints(maxParameters: 10), limits: Constraints(localOnly: true)),
      jsonConstraints: Constraints(maxParameters: 20, localOnly: false))
    #expect(merged.constraints == Constraints(maxParameters: 20, localOnly: true))
    #expect(merged.constraintSources[.localOnly] == .configuration)
  }

  @Test func promptFlagsCanBeTurnedOff() {
    let merged = RoutingPreferences.merge(
      defaults: RoutingDefaults(obeysPromptFlags: false),
      prompt: PromptFlags.parse("[Flag: newest] [Flag: max-params=1M]"))
    #expect(merged.weights == GoalWeights() && merged.constraints.isEmpty)
    #expect(merged.ignoredFlags.count == 2)
  }

  @Test(arguments: [
    (#"{"siz": 0.5}"#, "flags.siz"), (#"{"size": -0.5}"#, "flags.size"),
    (#"{"size": 101}"#, "flags.size"),
  ])
  func badWeightsNameTheKey(json: String, key: String) {
    let error = #expect(throws: (any Error).self) {
      try JSONDecoder().decode(GoalWeights.self, from: Data(json.utf8))
    }
    #expect(error.map { "\($0)" }?.contains(key) == true)
  }

  @Test(arguments: [
    (#"{"max_parameter": 5}"#, "max_parameter"), (#"{"max_parameters": 0}"#, "max_parameters"),
    (#"{"max_cost_usd": -1}"#, "max_cost_usd"), (#"{"experts": []}"#, "experts"),
    (#"{"released_after": "soon"}"#, "soon"), (#"{"min_density": 2}"#, "min_density"),
  ])
  func badConstraintsNameTheKey(json: String, key: String) {
    let error = #expect(throws: (any Error).self) {
      try JSONDecoder().decode(Constraints.self, from: Data(json.utf8))
    }
    #expect(error.map { "\($0)" }?.contains(key) == true)
  }

  @Test func constraintsReadTheDocumentedShape() throws {
    let json = """
      {"max_parameters": 300000000, "local_only": true, "max_cost_usd": 0.01,
       "released_after": "2024-01-01", "licenses": ["apache-2.0"], "experts": ["a"]}
      """
    let constraints = try JSONDecoder().decode(Constraints.self, from: Data(json.utf8))
    #expect(constraints.releasedAfter?.description == "2024-01-01")
    let back = try JSONDecoder().decode(
      Constraints.self, from: JSONEncoder().encode(constraints))
    #expect(back == constraints)
  }
}
