import DecisionLog
import Foundation
import Testing

/// A folder that is gone after the test.
final class Scratch {
  let folder: String
  var path: String { folder + "/log.sqlite" }

  init() throws {
    folder = NSTemporaryDirectory() + "/decision-log-" + UUID().uuidString
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }
}

enum Made {
  static let ids = DecisionIDGenerator()

  static func decision(
    _ index: Int = 0, expert: String = "a", expertsJSON: String = "[]"
  ) -> DecisionRecord {
    DecisionRecord(
      id: ids.next(), timeMilliseconds: Int64(1_000_000 + index), promptText: "prompt \(index)",
      promptSHA256: "00ff\(index)", promptBytes: 8, expert: expert, strategy: "ridge",
      routerVersion: "ridge-1", flagsJSON: #"[{"goal":"size"}]"#, expertsJSON: expertsJSON,
      decisionMilliseconds: 0.5, endpoint: "/route")
  }

  static func outcome(_ prompt: String, _ expert: String, loss: Double = 1) -> OutcomeRecord {
    OutcomeRecord(
      promptSHA256: prompt, expert: expert, revision: "r1", domain: "law", lossBitsPerByte: loss,
      bytes: 10, basis: .reference, source: "law.jsonl", timeMilliseconds: 1)
  }
}

@Suite struct DecisionLogTests {
  @Test func activeExpertsOfOutcomesAreKept() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    var gated = Made.outcome("p1", "mixture")
    gated.activeExperts = 2.5
    try await log.write(outcomes: [gated, Made.outcome("p1", "a"), Made.outcome("p2", "mixture")])
    let found = try await log.outcomes()
    #expect(found.compactMap(\.activeExperts) == [2.5] && found.count == 3)
    #expect(try await log.outcomeKeys().count == 3)
    #expect(
      try await log.outcomeKeys(withActiveExperts: true)
        == [OutcomeKey(promptSHA256: "p1", expert: "mixture", revision: "r1")])
    try await log.close()
  }

  @Test func aDecisionAndWhatCameOfItSurviveReopening() async throws {
    let scratch = try Scratch()
    let record = Made.decision()
    let log = DecisionLog(.init(path: scratch.path))
    #expect(log.health == nil)
    try log.append(record)
    try log.complete(
      DecisionCompletion(
        id: record.id, status: .completed, promptTokens: 3, completionTokens: 7,
        firstTokenMilliseconds: 10, totalMilliseconds: 90, finishReason: "stop",
        outputCharacters: 30))
    try await log.close()
    #expect(throws: DecisionLogError.closed) { try log.append(record) }

    let again = DecisionLog(.init(path: scratch.path))
    let found = try #require(try await again.decision(id: record.id))
    #expect(found.promptText == "prompt 0" && found.flagsJSON == record.flagsJSON)
    #expect(found.status == .completed && found.completionTokens == 7)
    #expect(found.finishReason == "stop" && found.totalMilliseconds == 90)
    try await again.close()
  }

  @Test func aWaitingDecisionIsFound() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, batchSeconds: 60))
    let record = Made.decision()
    try log.append(record)
    #expect(log.counters.waiting == 1)
    #expect(try await log.decision(id: record.id) == record)
    #expect(try await log.decision(id: "nothing") == nil)
    try await log.close()
  }

  @Test func entriesAreWrittenInBatches() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, batchSeconds: 60, batchEntries: 100))
    for index in 0..<1000 { try log.append(Made.decision(index)) }
    try await log.flush()
    #expect(log.counters.batches <= 11)
    #expect(log.counters.written == 1000)
    #expect(try await log.decisionCount() == 1000)
    try await log.close()
  }

  @Test func aBatchIsWrittenWithoutFlush() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, batchSeconds: 0.05))
    try log.append(Made.decision())
    var tries = 0
    while log.counters.written < 1, tries < 500 {
      try await Task.sleep(for: .milliseconds(10))
      tries += 1
    }
    #expect(log.counters.written == 1)
    try await log.close()
  }

  @Test func aHugePromptIsCutAndTheQueueTakesOthers() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, batchSeconds: 60))
    let text = String(repeating: "é€", count: 2_000_000)
    var ids: [String] = []
    for index in 0..<40 {
      var record = Made.decision(index)
      record.promptText = text
      record.promptBytes = text.utf8.count
      ids.append(record.id)
      try log.append(record)
    }
    let found = try #require(try await log.decision(id: ids[0]))
    let kept = try #require(found.promptText)
    #expect(text.hasPrefix(kept) && found.promptBytes == 10_000_000)
    #expect((0..<3).contains(DecisionRecord.maximumPromptBytes - kept.utf8.count))
    let listed = try await log.decisions().decisions
    #expect(listed.count == 40)
    #expect(
      listed.allSatisfy { $0.promptText?.count == DecisionRecord.maximumListedCharacters })
    try await log.close()
  }

  @Test func textsWithANullAreKeptWhole() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    var record = Made.decision()
    record.promptText = "before\0after"
    try log.append(record)
    try log.complete(
      DecisionCompletion(id: record.id, status: .failed, error: "at \0 it failed"))
    let found = try #require(try await log.decision(id: record.id))
    #expect(found.promptText == "before\u{FFFD}after")
    #expect(found.error == "at \u{FFFD} it failed")
    try await log.close()
  }

  @Test(arguments: PromptPolicy.allCases)
  func thePolicyDecidesWhatIsKept(policy: PromptPolicy) async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, promptPolicy: policy))
    var record = Made.decision()
    record.promptText = "a very private sentence"
    try log.append(record)
    let found = try #require(try await log.decision(id: record.id))
    #expect((found.promptText != nil) == (policy == .store))
    #expect((found.promptSHA256 != nil) == (policy != .omit))
    #expect(found.promptBytes == 8)
    try await log.close()
    var bytes = Data()
    for name in try FileManager.default.contentsOfDirectory(atPath: scratch.folder) {
      bytes += try Data(contentsOf: URL(fileURLWithPath: scratch.folder + "/" + name))
    }
    #expect((bytes.range(of: Data("private".utf8)) != nil) == (policy == .store))
  }

  @Test func manyThreadsAppend() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<16 {
        group.addTask {
          for index in 0..<250 {
            let record = Made.decision(task * 1000 + index)
            try? log.append(record)
            try? log.complete(DecisionCompletion(id: record.id, status: .completed))
          }
        }
      }
    }
    try await log.close()
    let again = DecisionLog(.init(path: scratch.path))
    #expect(try await again.decisionCount() == 4000)
    #expect(try await again.decisions(.init(status: .pending)).decisions.isEmpty)
    try await again.close()
  }

  @Test func aFullQueueRefusesAndSaysSo() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, batchSeconds: 60, maximumEntries: 5))
    for index in 0..<5 { try log.append(Made.decision(index)) }
    #expect(throws: DecisionLogError.queueFull(entries: 5)) { try log.append(Made.decision()) }
    #expect(log.counters.refused == 1)
    try await log.flush()
    try log.append(Made.decision())
    try await log.close()

    let small = DecisionLog(.init(path: scratch.path, batchSeconds: 60, maximumBytes: 1000))
    var big = Made.decision()
    big.promptText = String(repeating: "x", count: 2000)
    #expect(throws: DecisionLogError.queueFull(entries: 0)) { try small.append(big) }
    try await small.close()
  }

  @Test func oneBadEntryDoesNotTakeOthersWithIt() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path, batchSeconds: 60))
    let record = Made.decision()
    try log.append(record)
    try log.append(record)
    try log.complete(DecisionCompletion(id: "nobody", status: .failed))
    try log.append(FeedbackRecord(decisionID: "nobody", timeMilliseconds: 1, score: 1))
    try log.append(Made.decision(1))
    try await log.flush()
    #expect(log.counters.rejected == 3)
    #expect(log.counters.lastRejection != nil)
    #expect(log.health == nil)
    #expect(try await log.decisionCount() == 2)
    try await log.close()
  }

  @Test func pagesFollowEachOther() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    for index in 0..<25 { try log.append(Made.decision(index, expert: index % 5 == 0 ? "b" : "a")) }
    try await log.flush()
    var seen: [Int64] = []
    var cursor: String?
    repeat {
      let page = try await log.decisions(.init(limit: 7, cursor: cursor))
      seen += page.decisions.map(\.timeMilliseconds)
      cursor = page.nextCursor
    } while cursor != nil
    #expect(seen == (0..<25).reversed().map { Int64(1_000_000 + $0) })
    #expect(try await log.decisions(.init(expert: "b")).decisions.count == 5)
    #expect(try await log.decisions(.init(sinceMilliseconds: 1_000_020)).decisions.count == 5)
    #expect(try await log.deleteDecisions(beforeMilliseconds: 1_000_010) == 10)
    #expect(try await log.markInterrupted() == 15)
    #expect(try await log.decisions(.init(status: .interrupted)).decisions.count == 15)
    try await log.close()
  }

  @Test func aggregatesOverDecisions() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    for (index, loss) in [1.0, 3.0].enumerated() {
      let json = """
        [{"expert":"a","eligible":true,"predicted_loss":\(loss),
          "goals":{"size":{"weight":0,"raw":8,"cost":0,"term":0}}},
         {"expert":"b","eligible":false,"goals":{},"reason":{"code":"x","message":"y"}}]
        """
      try log.append(Made.decision(index, expert: "a", expertsJSON: json))
    }
    try log.append(Made.decision(9, expertsJSON: "not json"))
    try await log.flush()
    let rows = try await log.aggregates(goal: "size")
    #expect(rows.map(\.expert) == ["a", "b"])
    #expect(rows.first?.meanPredictedLoss == 2 && rows.first?.meanRaw == 8)
    #expect(rows.first?.chosen == 2 && rows.first?.considered == 2)
    #expect(rows.last?.considered == 0 && rows.last?.chosen == 0)
    #expect(try await log.aggregates(goal: "size", sinceMilliseconds: 1_000_001)[0].chosen == 1)
    await #expect(throws: DecisionLogError.self) { try await log.aggregates(goal: "a'b") }
    try await log.close()
  }

  @Test func outcomesAreUniqueAndCollectingGoesOn() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    try await log.write(
      outcomes: [Made.outcome("p1", "a"), Made.outcome("p1", "b")],
      prompts: [OutcomePrompt(promptSHA256: "p1", text: "t", domain: "law", source: "f")])
    try await log.write(outcomes: [Made.outcome("p1", "a", loss: 2)])
    #expect(try await log.outcomes().map(\.lossBitsPerByte) == [2, 1])
    #expect(
      try await log.outcomeKeys().contains(
        OutcomeKey(promptSHA256: "p1", expert: "b", revision: "r1")))
    #expect(try await log.outcomes(revisions: ["a": "r1", "b": "r2"]).map(\.expert) == ["a"])
    #expect(try await log.outcomePrompts().map(\.text) == ["t"])
    await #expect(throws: DecisionLogError.self) {
      try await log.write(outcomes: [Made.outcome("p2", "a", loss: .nan)])
    }
    try await log.close()
  }

  @Test func feedbackAndStatistics() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    let record = Made.decision()
    try log.append(record)
    let feedback = try FeedbackRecord(
      decisionID: record.id, timeMilliseconds: 5, score: 0.5, comment: "good")
    try log.append(feedback)
    let statistics = ExpertStatisticsRecord(
      expert: "a", answers: 3, firstTokenMilliseconds: 4, perTokenMilliseconds: 5,
      outputTokens: 6, readingEase: nil, timeMilliseconds: 7)
    try log.update(statistics)
    try log.update(statistics)
    try await log.flush()
    #expect(try await log.feedback(decisionID: record.id) == [feedback])
    #expect(try await log.statistics() == [statistics])
    #expect(throws: DecisionLogError.self) {
      try FeedbackRecord(decisionID: "x", timeMilliseconds: 0, score: 2)
    }
    try await log.close()
  }

  /// Of two opinions on one decision the last; of the decisions the newest.
  @Test func judgedDecisionsAreFoundForLearning() async throws {
    let scratch = try Scratch()
    let log = DecisionLog(.init(path: scratch.path))
    let records = (0..<4).map { Made.decision($0, expert: $0 == 3 ? "b" : "a") }
    for record in records { try log.append(record) }
    let vector = HalfPrecisionVector([0.5, -0.25, 1])
    #expect(vector.values == [0.5, -0.25, 1])
    for (record, score) in [(records[0], -1), (records[3], 1), (records[1], 0.5), (records[0], 1)] {
      try log.append(
        FeedbackRecord(
          decisionID: record.id, timeMilliseconds: 5, score: score, embedding: vector,
          encoder: "e/3"))
    }
    #expect(try await log.feedback(decisionID: records[0].id).map(\.score) == [-1, 1])
    let tallies = try await log.feedbackTallies()
    #expect(tallies.map(\.expert) == ["a", "b"] && tallies.map(\.answers) == [2, 1])
    #expect(tallies.map(\.meanScore) == [0.75, 1])
    let all = try await log.judgedDecisions(limit: 10)
    #expect(all.map(\.decisionID) == [records[0].id, records[1].id, records[3].id])
    #expect(all.map(\.score) == [1, 0.5, 1] && all.map(\.expert) == ["a", "a", "b"])
    #expect(all[0].embedding == vector && all[0].encoder == "e/3")
    #expect(all[0].promptText == "prompt 0" && all[0].promptBytes == 8)
    #expect(
      try await log.judgedDecisions(limit: 2).map(\.decisionID)
        == [records[1].id, records[3].id])
    try await log.update(
      embedding: HalfPrecisionVector([2]), encoder: "f/6", ofFeedbackOn: records[3].id)
    let updated = try #require(try await log.judgedDecisions(limit: 10).last)
    #expect(updated.embedding?.values == [2] && updated.encoder == "f/6")
    try await log.close()
  }

  @Test func idsRiseWithTime() {
    let ids = DecisionIDGenerator()
    var made = (0..<10_000).map { _ in ids.next() }
    // A clock that steps back.
    made += (0..<10).map { _ in ids.next(at: Date(timeIntervalSince1970: 5)) }
    #expect(made == made.sorted() && Set(made).count == made.count)
    #expect(made.allSatisfy { UUID(uuidString: $0) != nil && Array($0)[14] == "7" })
  }
}
