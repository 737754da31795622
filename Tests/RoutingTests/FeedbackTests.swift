import Foundation
import JSON
import Routing
import Testing

@Suite struct FeedbackMemoryTests {
  private static func memory(capacity: Int = 8) -> FeedbackMemory {
    FeedbackMemory(
      space: EmbeddingSpace(dimension: 2),
      weighting: .init(weight: 0.5, temperature: 0.1, doubt: 2), capacity: capacity)
  }

  private static func judgement(
    _ decision: String, _ expert: String, _ score: Double, _ embedding: [Float] = [1, 0]
  ) -> FeedbackMemory.Judgement {
    .init(decision: decision, expert: expert, score: score, embedding: embedding)
  }

  @Test func opinionsAreTheFormula() throws {
    var memory = Self.memory()
    try memory.remember(Self.judgement("1", "a", 1))
    try memory.remember(Self.judgement("2", "a", -0.5, [0.8, 0.6]))
    try memory.remember(Self.judgement("3", "b", -1))
    let found = try memory.opinions(on: [1, 0])
    let weight = exp((0.8 - 1) / 0.1)
    let score = (1 - 0.5 * weight) / (1 + weight + 2)
    let a = try #require(found["a"])
    #expect(abs(a.score - score) < 1e-4)
    #expect(abs(a.evidence - 1 - weight) < 1e-4)
    #expect(abs(a.factor - (1 - 0.5 * score)) < 1e-4)
    #expect(try abs(#require(found["b"]).factor - (1 + 0.5 / 3)) < 1e-4)
    #expect(found["c"] == nil)
    // Nothing is thought of an expert on a prompt of quite another kind.
    #expect(try memory.opinions(on: [-1, 0]).isEmpty)
  }

  @Test func theLastOpinionOnADecisionCounts() throws {
    var memory = Self.memory()
    try memory.remember(Self.judgement("1", "a", 1))
    try memory.remember(Self.judgement("1", "a", -1))
    #expect(memory.count == 1)
    #expect(try abs(#require(memory.opinions(on: [1, 0])["a"]).score + 1.0 / 3) < 1e-4)
  }

  /// What is read again from the log was said before.
  @Test func whatIsRecalledGivesWay() throws {
    var memory = Self.memory()
    try memory.remember(Self.judgement("1", "a", 1))
    try memory.remember(Self.judgement("1", "a", -1), isRecalled: true)
    try memory.remember(Self.judgement("2", "b", -1), isRecalled: true)
    let found = try memory.opinions(on: [1, 0])
    #expect(try #require(found["a"]).score > 0)
    #expect(try #require(found["b"]).score < 0)
  }

  @Test func theOldestGo() throws {
    var memory = Self.memory(capacity: 3)
    for index in 0..<7 { try memory.remember(Self.judgement("\(index)", "e\(index)", 1)) }
    #expect(memory.count == 3)
    #expect(try Set(memory.opinions(on: [1, 0]).keys) == ["e4", "e5", "e6"])
    // One that is kept is still found by its decision.
    try memory.remember(Self.judgement("5", "e5", -1))
    #expect(memory.count == 3)
    #expect(try #require(memory.opinions(on: [1, 0])["e5"]).score < 0)
    // One that went comes back as a new one.
    try memory.remember(Self.judgement("0", "e0", 1, [0, 1]))
    #expect(try Set(memory.opinions(on: [0, 1]).keys) == ["e0"])
    #expect(try Set(memory.opinions(on: [1, 0]).keys) == ["e5", "e6"])
  }

  @Test func whatIsNoOpinionIsRefused() {
    var memory = Self.memory()
    for (score, embedding) in [
      (2, [1, 0]), (.nan, [1, 0]), (1, [1, 0, 0]), (1, [.nan, 0]), (1, []),
    ] as [(Double, [Float])] {
      #expect(throws: RoutingError.self) {
        try memory.remember(Self.judgement("1", "a", score, embedding))
      }
    }
    #expect(memory.count == 0)
  }

  /// Also the loss that a card expects; the reply says what it was.
  @Test func decisionsFollowOpinions() throws {
    let context = try ObjectiveTests.context()
    let cards = ["a", "b", "far"].map { id in
      var card = ExpertCard(id: id, totalParameters: 1)
      if id == "far" { card.expectedLossRatio = 0.5 }
      return card
    }
    var request = Objective.Request(
      candidates: cards.map { Candidate(card: $0) },
      predictions: [("a", 1.0), ("b", 1.1)].map {
        LossPrediction(expert: $0.0, lossBitsPerByte: $0.1, standardError: 0)
      }, context: context)
    request.opinions = ["stranger": FeedbackOpinion(score: 1, evidence: 1, factor: 0.5)]
    #expect(try Objective.decide(request).expert == "far")
    request.opinions["far"] = FeedbackOpinion(score: -1, evidence: 9, factor: 2.5)
    request.opinions["a"] = FeedbackOpinion(score: -0.5, evidence: 2, factor: 1.2)
    let decision = try Objective.decide(request)
    #expect(decision.expert == "b" && decision.runnerUp == "a")
    let far = try #require(decision.experts.first { $0.expert == "far" })
    #expect(far.predictedLoss == 1.25 && far.total == 1.25)
    #expect(
      far.feedback?.score == -1 && far.feedback?.evidence == 9 && far.feedback?.term == 0.75)
    #expect(far.isAssumed == true)
    #expect(decision.chosen?.feedback == nil)
    let written = try JSONSerialization.jsonObject(with: Data(decision.expertsJSON))
    let encoded = try JSONSerialization.jsonObject(with: JSONEncoder().encode(decision.experts))
    #expect(written as? NSArray == encoded as? NSArray)
  }

  @Test func opinionsTeachARouterADomain() throws {
    let training = try Planted.domains(count: 400, seed: 5).examples
    let heldOut = try Planted.domains(count: 120, seed: 6).examples
    let found = try FeedbackEvaluation.evaluate(
      training: training, heldOut: heldOut, experts: ["e0", "e1", "e2", "e3"],
      // The others lose two fifths more than the best: so much an opinion must be worth.
      weighting: .init(weight: 0.6), resamples: 50
    ) { NearestNeighboursRouter(training: $0) }
    #expect(found.domains.map(\.domain) == ["d0", "d1", "d2", "d3"])
    #expect(found.domains.allSatisfy { $0.opinions == 100 && $0.effect.prompts == 30 })
    #expect(found.new.without.mean > 0.3)
    #expect(found.new.with.mean < 0.5 * found.new.without.mean, "\(found.new)")
    #expect(found.others.with.mean < found.others.without.mean + 0.01, "\(found.others)")
    #expect(found.markdown.contains("| d3 | 100 |"))
  }
}
