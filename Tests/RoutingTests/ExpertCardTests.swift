import Foundation
import Routing
import Testing

@Suite struct ExpertCardTests {
  @Test func readsSnakeCaseAndLeavesOtherKeysAlone() throws {
    let json = """
      {"id": "smollm2-135m", "name": "SmolLM2", "kind": "local", "total_parameters": 134515008,
       "released": "2024-11-01", "license": "apache-2.0", "domains": ["general"],
       "context_length": 2048, "model_file": "x.gguf", "mean_output_tokens": 90}
      """
    let card = try JSONDecoder().decode(ExpertCard.self, from: Data(json.utf8))
    #expect(card.activeParameters == 134_515_008 && card.density == 1)
    #expect(card.runs == .inProcess && card.effectiveSecurityLevel == 0)
    try card.validate()
    let back = try JSONDecoder().decode(ExpertCard.self, from: JSONEncoder().encode(card))
    #expect(back == card)
  }

  @Test(arguments: [
    ("id", ExpertCard(id: "a b")), ("id", ExpertCard(id: "")), ("id", ExpertCard(id: "auto")),
    ("id", ExpertCard(id: "../x")), ("total_parameters", ExpertCard(id: "a", totalParameters: 0)),
    ("active_parameters", ExpertCard(id: "a", totalParameters: 5, activeParameters: 6)),
    ("security_level", ExpertCard(id: "a", securityLevel: 1.5)),
    ("reading_ease", ExpertCard(id: "a", readingEase: .nan)),
    ("runs", ExpertCard(id: "a", kind: .remote, runs: .inProcess)),
    ("runs", ExpertCard(id: "a", kind: .local, runs: .leavesMachine)),
    (
      "completion_price_usd_per_million_tokens",
      ExpertCard(id: "a", completionPriceUSDPerMillionTokens: -1)
    ),
  ])
  func errorsNameTheKey(key: String, card: ExpertCard) {
    let error = #expect(throws: RoutingError.self) { try card.validate() }
    #expect(error?.description.hasPrefix("\(key):") == true)
  }

  @Test func averagesMove() {
    var statistics = ExpertStatistics()
    func record(
      _ first: Double, prompt: Int = 10, total: Double, tokens: Int, isWhole: Bool = true,
      text: String? = nil
    ) {
      statistics.record(
        firstTokenMilliseconds: first, prefillMilliseconds: first / 2, readTokens: prompt,
        totalMilliseconds: total, outputTokens: tokens, isWhole: isWhole, text: text)
    }
    record(10, total: 110, tokens: 11, text: "A cat sat.")
    #expect(statistics.perTokenMilliseconds == 10 && statistics.outputTokens == 11)
    record(20, prompt: 30, total: 40, tokens: 1)
    #expect(statistics.firstTokenMilliseconds == 15)
    #expect(statistics.readTokens == 20 && statistics.prefillMilliseconds == 7.5)
    #expect(statistics.perTokenMilliseconds == 10)
    let before = statistics
    record(.nan, total: 1, tokens: 1)
    record(1, prompt: -1, total: 1, tokens: 1)
    #expect(statistics == before)
    for _ in 0..<200 { record(50, total: 50, tokens: 3) }
    #expect(abs((statistics.firstTokenMilliseconds ?? 0) - 50) < 1e-6)
  }

  /// Where a limit cuts answers off it tells nothing of the expert, unless they are longer than usual.
  @Test func limitsAreNoLengths() {
    var statistics = ExpertStatistics()
    func record(_ tokens: Int, isWhole: Bool) {
      statistics.record(
        firstTokenMilliseconds: 1, prefillMilliseconds: 1, readTokens: 5, totalMilliseconds: 10,
        outputTokens: tokens, isWhole: isWhole, text: nil)
    }
    for _ in 0..<20 { record(4, isWhole: false) }
    #expect(statistics.outputTokens == nil)
    record(100, isWhole: true)
    for _ in 0..<20 { record(4, isWhole: false) }
    #expect(statistics.outputTokens == 100)
    record(300, isWhole: false)
    #expect((statistics.outputTokens ?? 0) > 100)
    // One that never ends by itself is known by what it was cut off at.
    var endless = ExpertStatistics()
    for _ in 0..<5 {
      endless.record(
        firstTokenMilliseconds: 1, prefillMilliseconds: 1, readTokens: 5, totalMilliseconds: 10,
        outputTokens: 256, isWhole: false, text: nil)
    }
    #expect(endless.outputTokens == 256)
  }

  @Test func readingEase() throws {
    let easy = try #require(ReadingEase.score("The cat sat on the mat. It was a big cat."))
    let hard = try #require(
      ReadingEase.score(
        "Notwithstanding aforementioned considerations, organisational interdependencies "
          + "necessitate comprehensive reconfiguration of institutional responsibilities."))
    #expect(easy > 90 && hard < 20)
    #expect(ReadingEase.score("123 --- !!") == nil)
    for text in ["我喜欢猫。它很大。", "Кошка сидит на ковре.", "แมวนั่งบนเสื่อ", "القط على السجادة.", "é"] {
      let score = try #require(ReadingEase.score(text))
      #expect((0...100).contains(score))
    }
  }

  @Test func datesCountDays() throws {
    let date = try #require(CalendarDate("2024-03-01"))
    #expect(date.daysSince1970 == 19_783)
    #expect(CalendarDate(Date(timeIntervalSince1970: 19_783.5 * 86_400)) == date)
    #expect(CalendarDate("2023-02-29") == nil && CalendarDate("2024-02-29") != nil)
    #expect(CalendarDate("24-01-01") == nil && CalendarDate("2024-1-1-1") == nil)
    #expect(CalendarDate("2024") == CalendarDate("2024-01-01"))
    for days in stride(from: -200_000, to: 200_000, by: 97) {
      let date = CalendarDate(Date(timeIntervalSince1970: Double(days) * 86_400))
      #expect(date.daysSince1970 == days)
    }
    _ = CalendarDate(Date(timeIntervalSince1970: .infinity))
  }
}
