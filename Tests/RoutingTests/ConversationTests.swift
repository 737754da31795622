import Routing
import Testing

/// Conversations: which questions count, and what the goal `continuity` does.
@Suite struct ConversationTests {
  @Test func earlierQuestionsCountLess() {
    #expect(QuestionWeights.of(["a prompt"]) == [1])
    let short = QuestionWeights.of(["and in Rust?", "Write a function that sorts."])
    #expect(short.count == 2 && short[0] == 1 && short[1] > 0.7)
    let long = QuestionWeights.of([String(repeating: "word ", count: 100), "earlier"])
    #expect(long == [1], "so much was said since that the earlier one tells nothing")
    #expect(QuestionWeights.of([]).isEmpty)
  }

  @Test func mixedEmbeddingsAreUnitVectors() {
    #expect(QuestionWeights.mix([[0.6, 0.8]], [1]) == [0.6, 0.8])
    let mixed = QuestionWeights.mix([[1, 0], [0, 1]], [1, 0.5])
    #expect(abs(mixed[0] * mixed[0] + mixed[1] * mixed[1] - 1) < 1e-6)
    #expect(abs(mixed[1] / mixed[0] - 0.5) < 1e-6)
    #expect(
      QuestionWeights.mix([[1, 0], [-1, 0]], [1, 1]) == [1, 0], "opposites: the latest one")
  }

  @Test func continuityKeepsTheExpertWhereLittleIsLost() throws {
    let turn = { (first: Double, second: Double, losses: [String: Double]) in
      EvaluatedPrompt(domain: "d", losses: losses, predicted: ["a": first, "b": second])
    }
    let losses = ["a": 1.0, "b": 1.2]
    let steady = [turn(1, 1.1, losses), turn(1.01, 1.0, losses), turn(1, 1.1, losses)]
    let changing = [turn(1, 1.1, losses), turn(1.5, 1.0, ["a": 1.5, "b": 1.0])]
    let evaluation = try ConversationEvaluation.evaluate(
      steady: [steady], changing: [changing], experts: ["a", "b"], weights: [0, 0.05, 1])
    let rows = evaluation.rows
    #expect(rows.map(\.switches.mean) == [1, 0, 0])
    #expect(abs(rows[0].regret.mean - 0.2 / 3) < 1e-12)
    #expect(rows[1].regret.mean == 0)
    #expect(rows[1].regretAfterChange.mean == 0, "half a bit is worth a change")
    #expect(rows[2].regretAfterChange.mean == 0.5)
  }

  @Test func theGoalTellsNothingOutsideOfConversations() throws {
    let card = { ExpertCard(id: $0, totalParameters: 1_000) }
    let context = GoalContext(
      promptTokens: 1, maximumOutputTokens: nil, today: CalendarDate("2026-01-01")!)
    let unknown = Candidate(card: card("a"))
    #expect(Goal.continuity.rawCost(of: unknown, in: context) == nil)
    #expect(Goal.continuity.costs([nil, nil], of: [unknown, unknown]) == [0, 0])
    #expect(
      Goal.continuity.rawCost(of: Candidate(card: card("a"), gaveLastAnswer: true), in: context)
        == 0)
    #expect(
      Goal.continuity.rawCost(of: Candidate(card: card("b"), gaveLastAnswer: false), in: context)
        == 1)
  }
}
