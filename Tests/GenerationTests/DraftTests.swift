import Generation
import Testing
import Transformer

/// Guessed tokens are proved together and change nothing but the time.
@Suite struct DraftTests {
  private typealias Fixture = SchedulerFixture

  @Test(arguments: [
    // What followed 1 2 3 before.
    ([1, 2, 3, 4, 5, 6, 1, 2, 3], 2, [4, 5]),
    // The longer match wins over the later one.
    ([9, 1, 2, 3, 4, 0, 1, 2, 7, 9, 1, 2], 1, [3]),
    // The later of equal ones.
    ([1, 2, 3, 0, 1, 2, 4, 5, 1, 2], 1, [4]),
    // A loop goes on.
    ([5, 1, 2, 1, 2], 5, [1, 2, 1, 2, 1]), ([7, 7, 7, 7], 3, [7, 7, 7]),
    // One token alone is no match, and nothing new is guessed.
    ([1, 2, 3, 2], 4, []), ([1, 2, 3, 4], 4, []), ([], 4, []), ([1], 4, []), ([1, 1], 4, []),
    ([1, 2, 3, 1, 2], 0, []),
  ])
  func guesses(tokens: [Int32], count: Int, expected: [Int32]) {
    #expect(PromptLookup.guess(after: tokens, atMost: count) == expected)
  }

  /// A prompt that repeats itself.
  static func prompt(seed: Int) -> [Int32] {
    let phrase = Fixture.prompt(9, seed: seed)
    return phrase + Fixture.prompt(5, seed: seed + 1) + phrase + phrase.prefix(4)
  }

  static func changes(_ kind: Int) -> (inout SamplingParameters) -> Void {
    { parameters in
      parameters.seed = 5
      parameters.temperature = kind == 1 ? 0.3 : kind == 2 ? 0.9 : 0
      if kind == 2 { parameters.topK = 4 }
      if kind == 3 { parameters.repetitionPenalty = 1.2 }
      if kind == 3 { parameters.frequencyPenalty = 0.1 }
      if kind == 4 { parameters.logprobs = 3 }
      if kind == 5 { parameters.stop = ["1 2", " 40 "] }
      // The same token again and again: every guess is right.
      if kind == 6 { parameters.logitBias = [3: 100] }
    }
  }

  /// Text, log-probabilities, how the answer ended and what was counted.
  @Test(arguments: ["tiny-llama", "tiny-gemma3", "tiny-gemma4-small"], 0..<7)
  func draftsChangeNoAnswer(name: String, kind: Int) async throws {
    let plain = Fixture.scheduler(try Fixture.decoder(name)) { $0.draftTokens = 0 }
    let drafting = Fixture.scheduler(try Fixture.decoder(name))
    for seed in 0..<2 {
      let prompt = Self.prompt(seed: seed)
      for maxTokens in [1, 2, 7, 60] {
        let expected = try await plain.answer(prompt, maxTokens: maxTokens, Self.changes(kind))
        let answer = try await drafting.answer(prompt, maxTokens: maxTokens, Self.changes(kind))
        #expect(answer.text == expected.text)
        #expect(answer.logprobs == expected.logprobs)
        #expect(answer.summary?.finishReason == expected.summary?.finishReason)
        #expect(answer.summary?.completionTokens == expected.summary?.completionTokens)
        let accepted = try #require(answer.summary?.acceptedDraftTokens)
        #expect(accepted <= max(0, answer.summary?.draftedTokens ?? 0))
        #expect(expected.summary?.draftedTokens == 0)
      }
    }
    await drafting.shutDown()
    await plain.shutDown()
    let (proved, unproved) = (drafting.statistics, plain.statistics)
    #expect(proved.completionTokens == unproved.completionTokens)
    #expect(unproved.draftedTokens == 0)
    #expect(proved.steps <= unproved.steps)
    if kind == 6 {
      #expect(proved.acceptedDraftTokens > proved.completionTokens / 2)
      #expect(proved.steps < unproved.steps / 2)
    }
  }

  /// Several at a time, in little memory, with drafts that end at the context's end.
  @Test func draftsInABatchAndInLittleMemory() async throws {
    // Answers of three different tokens: guesses are often right, and as often wrong.
    let fewTokens: @Sendable (inout SamplingParameters) -> Void = {
      $0.logitBias = [3: 50, 4: 50, 5: 50]
    }
    let alone = Fixture.scheduler(try Fixture.decoder()) { $0.draftTokens = 0 }
    var expected: [String] = []
    for seed in 0..<4 {
      expected.append(
        try await alone.answer(Self.prompt(seed: seed), maxTokens: nil, fewTokens).text)
    }
    let block = try Fixture.decoder().pagePool.bytesPerBlock
    let decoder = try Fixture.decoder { $0.keyValueLimitBytes = 9 * block }
    let drafting = Fixture.scheduler(decoder)
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for seed in 0..<4 {
        group.addTask {
          (seed, try await drafting.answer(Self.prompt(seed: seed), maxTokens: nil, fewTokens).text)
        }
      }
      for try await (seed, text) in group { #expect(text == expected[seed]) }
    }
    await drafting.shutDown()
    #expect(drafting.statistics.acceptedDraftTokens > 0)
    #expect(decoder.pagePool.usedBlocks == 0)
  }
}
