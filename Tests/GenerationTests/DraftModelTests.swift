import Generation
import Testing
import Transformer

/// A draft model's guesses change nothing but the time.
@Suite struct DraftModelTests {
  private typealias Fixture = SchedulerFixture

  /// The model itself, another of the same vocabulary, and one that reads less far: it is right always, seldom, and for
  /// a while.
  @Test(arguments: ["tiny-llama", "tiny-gemma3", "short"], 0..<7)
  func draftModelChangesNoAnswer(name: String, kind: Int) async throws {
    let plain = Fixture.scheduler(try Fixture.decoder()) { $0.draftTokens = 0 }
    let draft = try Fixture.decoder(name == "short" ? "tiny-llama" : name) {
      if name == "short" { $0.contextLength = 40 }
    }
    let drafting = Fixture.scheduler(try Fixture.decoder(), draft: draft) {
      $0.draftPricing = .free
    }
    for seed in 0..<2 {
      // Short, and long enough for the draft model to read it in several passes.
      for prompt in [Fixture.prompt(7, seed: seed), Fixture.prompt(150, seed: seed)] {
        for maxTokens in [1, 2, 7, 60] {
          let changes = DraftTests.changes(kind)
          let expected = try await plain.answer(prompt, maxTokens: maxTokens, changes)
          let answer = try await drafting.answer(prompt, maxTokens: maxTokens, changes)
          #expect(answer.text == expected.text)
          #expect(answer.logprobs == expected.logprobs)
          #expect(answer.summary?.finishReason == expected.summary?.finishReason)
          #expect(answer.summary?.completionTokens == expected.summary?.completionTokens)
        }
      }
    }
    await drafting.shutDown()
    await plain.shutDown()
    let (proved, unproved) = (drafting.statistics, plain.statistics)
    #expect(proved.completionTokens == unproved.completionTokens)
    #expect(proved.draftedTokens > 0)
    if name == "tiny-llama", kind == 0 {
      #expect(proved.acceptedDraftTokens * 10 >= proved.draftedTokens * 8)
      #expect(proved.steps < unproved.steps / 2)
    }
    #expect(draft.pagePool.usedBlocks == 0)
  }

  /// As it serves: what pays is measured, and whatever comes of that, answers are the same.
  @Test func pricedGuessesChangeNoAnswer() async throws {
    let plain = Fixture.scheduler(try Fixture.decoder()) { $0.draftTokens = 0 }
    let drafting = Fixture.scheduler(
      try Fixture.decoder(), draft: try Fixture.decoder("tiny-gemma3"))
    for seed in 0..<8 {
      let prompt = Fixture.prompt(9, seed: seed)
      let expected = try await plain.answer(prompt, maxTokens: 90)
      #expect(try await drafting.answer(prompt, maxTokens: 90).text == expected.text)
    }
  }

  /// Several at a time, in little memory of both models; conversations that go on.
  @Test func draftModelInABatchAndInLittleMemory() async throws {
    let alone = Fixture.scheduler(try Fixture.decoder()) { $0.draftTokens = 0 }
    let block = try Fixture.decoder().pagePool.bytesPerBlock
    let decoder = try Fixture.decoder { $0.keyValueLimitBytes = 9 * block }
    let draft = try Fixture.decoder { $0.keyValueLimitBytes = 5 * block }
    let drafting = Fixture.scheduler(decoder, draft: draft) { $0.draftPricing = .free }
    var prompts = (0..<4).map { Fixture.prompt(20 + 30 * $0, seed: $0) }
    for _ in 0..<2 {
      var expected: [String] = []
      for prompt in prompts {
        expected.append(try await alone.answer(prompt, maxTokens: 60).text)
      }
      let given = prompts
      let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
        for (index, prompt) in given.enumerated() {
          group.addTask { (index, try await drafting.answer(prompt, maxTokens: 60).text) }
        }
        return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
      }
      for (index, text) in expected.enumerated() {
        #expect(answers[index] == text)
        prompts[index] += text.split(separator: " ").compactMap { Int32($0) } + [5, 6]
      }
    }
    await drafting.shutDown()
    #expect(drafting.statistics.acceptedDraftTokens > 0)
    #expect(decoder.pagePool.usedBlocks == 0)
    #expect(draft.pagePool.usedBlocks == 0)
  }

  /// Tokens that the draft model has not, by which it must not be asked.
  @Test func tokensOfOneModelOnly() async throws {
    // Any model whose vocabulary is another one's size.
    let draft = try Fixture.decoder("tiny-gpt-oss")
    let decoder = try Fixture.decoder()
    try #require(draft.configuration.vocabularySize != decoder.configuration.vocabularySize)
    let plain = Fixture.scheduler(try Fixture.decoder()) { $0.draftTokens = 0 }
    let drafting = Fixture.scheduler(decoder, draft: draft) { $0.draftPricing = .free }
    for seed in 0..<4 {
      let prompt = Fixture.prompt(12, seed: seed)
      let expected = try await plain.answer(prompt, maxTokens: 40)
      #expect(try await drafting.answer(prompt, maxTokens: 40).text == expected.text)
    }
  }

  // MARK: - Prices

  @Test func aPassCostsItsWeightsAndItsRows() {
    var times = PassTimes()
    #expect(!times.isKnown)
    for _ in 0..<3 { times.note(rows: 1, seconds: 0.1) }
    #expect(times.isKnown)
    #expect(abs(times.pass(rows: 1) - 0.1) < 1e-9)
    // Nothing is known of rows yet.
    #expect(abs(times.row - 0.015) < 1e-9)
    for rows in [1, 5, 3, 8, 2, 6, 4, 7, 1, 8] {
      times.note(rows: rows, seconds: 0.095 + 0.005 * Double(rows))
    }
    #expect(abs(times.row - 0.005) < 0.001)
    #expect(abs(times.pass(rows: 8) - 0.135) < 0.005)
    // Once held up for a second.
    times.note(rows: 1, seconds: 1)
    #expect(times.pass(rows: 1) < 0.15)
  }

  @Test func oddsFollowWhatComesOfGuesses() {
    var odds = DraftOdds()
    #expect(odds.chance(probability: 0.6) == 0.6)
    for _ in 0..<60 { odds.note(probabilities: [0.9, 0.9], accepted: 0) }
    #expect(odds.chance(probability: 0.9) < 0.2)
    for _ in 0..<60 { odds.note(probabilities: [0.5, 0.5], accepted: 2) }
    #expect(odds.chance(probability: 0.5) > 0.8)
    #expect(odds.chance(probability: 1) < 1)
    for _ in 0..<60 { odds.noteGuess(chance: 0) }
    #expect(odds.yield < 0.01)
    for _ in 0..<60 { odds.noteGuess(chance: 0.9) }
    #expect(odds.yield > 0.85)
  }
}
