import Foundation
import JSON
import Routing
import Testing

@Suite struct ObjectiveTests {
  static let today = CalendarDate(year: 2026, month: 1, day: 1)
  static func context() throws -> GoalContext {
    GoalContext(promptTokens: 50, maximumOutputTokens: 100, today: try #require(today))
  }

  /// A random library with its predictions.
  static func random(
    _ generator: inout SeededGenerator, count: Int
  ) -> (candidates: [Candidate], predictions: [LossPrediction]) {
    var candidates: [Candidate] = []
    var predictions: [LossPrediction] = []
    for index in 0..<count {
      let card = ExpertCard(
        id: "e\(index)", totalParameters: 1 + generator.next(below: 5) * 100_000_000,
        released: CalendarDate(
          year: 2020 + generator.next(below: 6), month: 1 + generator.next(below: 12), day: 1),
        license: generator.next(below: 2) == 0 ? "MIT" : "apache-2.0", contextLength: 2048,
        completionPriceUSDPerMillionTokens: generator.nextUnit(),
        firstTokenMilliseconds: generator.nextUnit() * 100, perTokenMilliseconds: 10,
        meanOutputTokens: Double(generator.next(below: 300)),
        readingEase: generator.nextUnit() * 100)
      candidates.append(Candidate(card: card))
      predictions.append(
        LossPrediction(
          expert: card.id, lossBitsPerByte: Double(generator.next(below: 8)) / 4,
          standardError: 0.1))
    }
    return (candidates, predictions)
  }

  @Test func withoutWeightsTheSmallestLossWins() throws {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<300 {
      let (candidates, predictions) = Self.random(&generator, count: 1 + generator.next(below: 9))
      let decision = try Objective.decide(
        .init(candidates: candidates, predictions: predictions, context: try Self.context()))
      let smallest = predictions.map(\.lossBitsPerByte).min()
      #expect(decision.chosen?.predictedLoss == smallest)
      #expect(decision.onParetoFront)
      #expect((decision.margin ?? 0) >= 0)
      // The order of the library does not matter.
      let turned = try Objective.decide(
        .init(
          candidates: candidates.reversed(), predictions: predictions.shuffled(using: &generator),
          context: try Self.context()))
      #expect(turned.expert == decision.expert)
    }
  }

  @Test(arguments: Goal.allCases)
  func theChosenCostNeverRisesWithItsWeight(goal: Goal) throws {
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<60 {
      let (candidates, predictions) = Self.random(&generator, count: 7)
      let other = Goal.allCases[generator.next(below: Goal.allCases.count)]
      var last = Double.infinity
      for weight in [0, 0.01, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 1.5, 2, 3, 5, 10, 100] {
        var preferences = RoutingPreferences()
        if other != goal { try preferences.weights.set(0.3, for: other) }
        try preferences.weights.set(weight, for: goal)
        let decision = try Objective.decide(
          .init(
            candidates: candidates, predictions: predictions, preferences: preferences,
            context: try Self.context()))
        let cost = try #require(decision.chosen?.goals[goal]?.cost)
        #expect(cost <= last)
        last = cost
        #expect(decision.onParetoFront)
      }
    }
  }

  /// An expert that the router does not know is expected to be better by a share than the best that it knows: worth
  /// its cost where all of those do badly.
  @Test func expectedLossRatio() throws {
    let candidates = [
      Candidate(card: ExpertCard(id: "near", totalParameters: 1_000)),
      Candidate(card: ExpertCard(id: "other", totalParameters: 1_000)),
      Candidate(
        card: ExpertCard(
          id: "far", kind: .remote, completionPriceUSDPerMillionTokens: 1, expectedLossRatio: 0.6)),
      Candidate(card: ExpertCard(id: "unknown", kind: .remote)),
    ]
    func decide(loss: Double, costWeight: Double) throws -> RoutingDecision {
      var preferences = RoutingPreferences()
      if costWeight > 0 { try preferences.weights.set(costWeight, for: .cost) }
      return try Objective.decide(
        .init(
          candidates: candidates,
          predictions: [
            LossPrediction(expert: "near", lossBitsPerByte: loss, standardError: 0.1),
            LossPrediction(expert: "other", lossBitsPerByte: loss + 1, standardError: 0.1),
            // Of an expert that has been taken out: nobody to be compared with.
            LossPrediction(expert: "gone", lossBitsPerByte: 0.01, standardError: 0.1),
          ], preferences: preferences, context: try Self.context()))
    }
    let free = try decide(loss: 1, costWeight: 0)
    #expect(free.expert == "far")
    #expect(free.chosen?.predictedLoss == 0.6)
    #expect(free.chosen?.isAssumed == true && free.chosen?.uncertainty == nil)
    #expect(free.experts[0].isAssumed == nil && free.experts[0].uncertainty == 0.1)
    #expect(free.experts[3].reason == .noPrediction)
    // 0.4 times the loss is saved, and 0.5 to be paid.
    #expect(try decide(loss: 1, costWeight: 0.5).expert == "near")
    #expect(try decide(loss: 1.5, costWeight: 0.5).expert == "far")
    // Its JSON says so, and is read back.
    let json = String(decoding: free.expertsJSON, as: UTF8.self)
    #expect(json.components(separatedBy: "\"assumed\":true").count == 2)
    let read = try JSONDecoder().decode(
      [RoutingDecision.ExpertResult].self, from: Data(free.expertsJSON))
    #expect(read[2].isAssumed == true && read[0].isAssumed == nil)
  }

  @Test func noConstraintIsEverWidened() throws {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<300 {
      let (candidates, predictions) = Self.random(&generator, count: 6)
      var constraints = Constraints()
      if generator.next(below: 2) == 0 { constraints.maxParameters = 200_000_000 }
      if generator.next(below: 2) == 0 { constraints.licenses = ["mit"] }
      if generator.next(below: 2) == 0 { constraints.releasedAfter = CalendarDate("2023-01-01") }
      let allowed = Set(
        candidates.filter { candidate in
          (constraints.maxParameters.map { (candidate.card.totalParameters ?? .max) <= $0 } ?? true)
            && (constraints.licenses == nil || candidate.card.license == "MIT")
            && (constraints.releasedAfter.map { limit in
              candidate.card.released.map { $0 > limit } ?? false
            } ?? true)
        }.map(\.card.id))
      let request = Objective.Request(
        candidates: candidates, predictions: predictions,
        preferences: RoutingPreferences(constraints: constraints), context: try Self.context())
      if allowed.isEmpty {
        #expect(throws: RoutingError.self) { try Objective.decide(request) }
      } else {
        let decision = try Objective.decide(request)
        #expect(allowed.contains(decision.expert))
        #expect(Set(decision.experts.filter(\.eligible).map(\.expert)) == allowed)
      }
    }
  }

  @Test func unknownCostsCountAsTheDearest() {
    #expect(Goal.scale([1, nil, 3]) == [0, 1, 1])
    #expect(Goal.scale([2, 2]) == [0, 0])
    #expect(Goal.scale([nil, nil]) == [0, 0])
    #expect(Goal.scale([5, nil]) == [0, 1])
  }

  @Test func anExpertWithoutPredictionIsNotEligibleAmongOthers() throws {
    let candidates = ["a", "b"].map { Candidate(card: ExpertCard(id: $0, totalParameters: 10)) }
    let one = [LossPrediction(expert: "b", lossBitsPerByte: 3, standardError: 0)]
    var request = Objective.Request(
      candidates: candidates, predictions: one, context: try Self.context())
    let decision = try Objective.decide(request)
    #expect(decision.expert == "b")
    #expect(decision.experts.first?.reason == .noPrediction)
    request.predictions = []
    #expect(try Objective.decide(request).expert == "a")
    request.strategy = .single("b")
    #expect(try Objective.decide(request).expert == "b")
    request.strategy = .single("c")
    #expect(throws: RoutingError.unknownExpert("c")) { try Objective.decide(request) }
  }

  @Test func securityAndAvailability() throws {
    let candidates = [
      Candidate(card: ExpertCard(id: "far", kind: .remote)),
      Candidate(card: ExpertCard(id: "near"), unavailable: "model.gguf is missing"),
    ]
    let request = Objective.Request(
      candidates: candidates, predictions: [],
      preferences: RoutingPreferences(constraints: Constraints(localOnly: true)),
      context: try Self.context())
    #expect(
      throws: RoutingError.noEligibleExpert([
        .init(expert: "far", reason: .leavesMachine),
        .init(expert: "near", reason: .unavailable("model.gguf is missing")),
      ])
    ) { try Objective.decide(request) }
  }

  @Test func theDecisionIsJSONAndComesBack() throws {
    var generator = SeededGenerator(seed: 4)
    let (candidates, predictions) = Self.random(&generator, count: 4)
    var preferences = RoutingPreferences.merge(
      prompt: PromptFlags.parse("[Flag: size=0.25] [Flag: what]"),
      jsonConstraints: Constraints(maxParameters: 300_000_001))
    try preferences.weights.set(0.5, for: .latency)
    let decision = try Objective.decide(
      .init(
        candidates: candidates, predictions: predictions, preferences: preferences,
        context: try Self.context(), strategy: .knn, routerVersion: "r1"))
    let data = try JSONEncoder().encode(decision)
    let object = try #require(
      try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(object["strategy"] as? String == "knn")
    #expect(object["router_version"] as? String == "r1")
    #expect(object["on_pareto_front"] as? Bool == true)
    let experts = try #require(object["experts"] as? [[String: Any]])
    let first = try #require(experts.first { $0["eligible"] as? Bool == true })
    let goals = try #require(first["goals"] as? [String: Any])
    #expect((goals["size"] as? [String: Any])?["weight"] as? Double == 0.25)
    let back = try JSONDecoder().decode(RoutingDecision.self, from: data)
    #expect(back.expert == decision.expert)
    #expect(try JSONEncoder.sorted.encode(back) == JSONEncoder.sorted.encode(decision))
    var json = JSONWriter()
    decision.write(to: &json, experts: decision.expertsJSON)
    #expect(try JSONEncoder.sorted.encode(decision) == Data(json.bytes))
    #expect(try JSONEncoder.sorted.encode(decision.experts) == Data(decision.expertsJSON))
    #expect(try JSONEncoder.sorted.encode(decision.constraints) == Data(decision.constraintsJSON))
    // What could not be read is a piece of the prompt.
    for quotes in [true, false] {
      var ignored = decision.ignoredFlags
      #expect(ignored.map(\.text) == ["what"])
      if !quotes { ignored[0].text = "" }
      #expect(
        try Data(decision.flagsJSON(quotesIgnored: quotes))
          == JSONEncoder.sorted.encode(
            Columns(ignored: ignored, in_force: decision.flags)))
    }
  }

  private struct Columns: Encodable {
    let ignored: [PromptFlags.Ignored]
    let in_force: [RoutingDecision.WeightInForce]
  }

  private func candidate(
    _ id: String, parameters: Int, first: Double? = nil, tokens: Int = 20, prompt: Int = 50,
    waiting: Double = 0
  ) -> Candidate {
    var statistics = ExpertStatistics()
    if let first {
      statistics.record(
        firstTokenMilliseconds: first + waiting, prefillMilliseconds: first, readTokens: prompt,
        totalMilliseconds: 3 * first + waiting, outputTokens: tokens, isWhole: true,
        text: "Some words are here.")
    }
    return Candidate(
      card: ExpertCard(
        id: id, totalParameters: parameters, activeParameters: parameters),
      statistics: statistics)
  }

  /// The first to answer must not be the fastest and the most concise for ever, because of no other it is
  /// known how fast it is.
  @Test func whatWasNotMeasuredIsNotHeldAgainstAnExpert() throws {
    let large = candidate("large", parameters: 268, first: 40)
    let small = candidate("small", parameters: 134)
    let predictions = [
      LossPrediction(expert: "large", lossBitsPerByte: 0.9, standardError: 0.1),
      LossPrediction(expert: "small", lossBitsPerByte: 0.8, standardError: 0.1),
    ]
    for goal in [Goal.latency, .verbosity, .readability] {
      let decision = try Objective.decide(
        Objective.Request(
          candidates: [large, small], predictions: predictions,
          preferences: RoutingPreferences(weights: GoalWeights([goal: 1])),
          context: Self.context(), strategy: .knn))
      #expect(decision.expert == "small", "\(goal)")
      #expect(decision.experts[1].goals[goal]?.raw == nil)
    }
    // Time is taken to grow with the active parameters; what else is not known is in the middle.
    let raw = [100.0, nil, nil]
    let three = [
      candidate("a", parameters: 200), candidate("b", parameters: 100),
      candidate("c", parameters: 400),
    ]
    let latency = Goal.latency.costs(raw, of: three)
    #expect(abs(latency[0] - 50.0 / 150) < 1e-9 && latency[1] == 0 && latency[2] == 1)
    #expect(Goal.verbosity.costs([10, nil, 30], of: three) == [0, 0.5, 1])
    #expect(Goal.verbosity.costs([10, nil, nil], of: three) == [0, 0, 0])
    // What a card leaves empty counts as the dearest.
    #expect(Goal.size.costs([1, nil, 3], of: three) == [0, 1, 1])
  }

  /// A long prompt that an expert had to read is no reason to call it slow for a short one.
  @Test func firstTokensAreOfAsManyTokens() throws {
    var context = try Self.context()
    context.promptTokens = 100
    context.maximumOutputTokens = 1
    let read = { (prompt: Int, first: Double, waiting: Double) in
      Goal.latency.rawCost(
        of: candidate("x", parameters: 100, first: first, prompt: prompt, waiting: waiting),
        in: context)
    }
    let long = try #require(read(2000, 800, 0))
    let short = try #require(read(50, 20, 0))
    #expect(abs(long - 40) < 1e-9 && abs(short - 40) < 1e-9)
    // Waiting for others does not grow with the prompt.
    let busy = try #require(read(10, 4, 120))
    #expect(abs(busy - 160) < 1e-9)
    // Nor does loading, of an expert that isn't there yet.
    var absent = candidate("x", parameters: 100, first: 20, prompt: 50, waiting: 0)
    absent.loadMilliseconds = 3000
    let loaded = try #require(Goal.latency.rawCost(of: absent, in: context))
    #expect(abs(loaded - 3040) < 1e-9)
  }
}

extension JSONEncoder {
  static var sorted: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return encoder
  }
}
