import Generation
import Testing
import Transformer

/// Requests to a model whose layers keep a state: what one left behind, and what is tried, changes no answer.
@Suite struct RecurrentSchedulerTests {
  private typealias Fixture = SchedulerFixture
  private static let name = "tiny-qwen35"

  /// A prompt that repeats itself, longer than a block.
  private static func prompt(seed: Int) -> [Int32] {
    let phrase = Fixture.prompt(40, seed: seed).map { $0 % 64 }
    return phrase + phrase + phrase.prefix(7)
  }

  private func answerAlone(_ prompt: [Int32], maxTokens: Int) async throws -> String {
    let scheduler = Fixture.scheduler(try Fixture.decoder(Self.name)) {
      $0.draftTokens = 0
      $0.prefixCacheBytes = 0
    }
    let answer = try await scheduler.answer(prompt, maxTokens: maxTokens)
    await scheduler.shutDown()
    return answer.text
  }

  /// The same beginning again and again, with guesses allowed, as a conversation has it.
  @Test func earlierTextsAndGuessesChangeNoAnswer() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder(Self.name))
    for seed in 0..<2 {
      var prompt = Self.prompt(seed: seed)
      for _ in 0..<3 {
        let expected = try await answerAlone(prompt, maxTokens: 20)
        let answer = try await scheduler.answer(prompt, maxTokens: 20)
        #expect(answer.text == expected)
        #expect(answer.summary?.draftedTokens == 0)
        prompt += answer.text.split(separator: " ").compactMap { Int32($0) } + [1, 2, 3]
      }
    }
    await scheduler.shutDown()
    #expect(scheduler.statistics.reusedPromptTokens == 0)
  }

  /// Many at a time in memory for two: sequences give their state up, and begin again.
  @Test func littleMemoryChangesNoAnswer() async throws {
    let pool = try Fixture.decoder(Self.name).pagePool
    let limit = 2 * pool.bytesPerSequence + 5 * pool.bytesPerBlock
    let decoder = try Fixture.decoder(Self.name) { $0.keyValueLimitBytes = limit }
    let scheduler = Fixture.scheduler(decoder)
    let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for seed in 0..<6 {
        group.addTask {
          (seed, try await scheduler.answer(Self.prompt(seed: seed), maxTokens: 60).text)
        }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for seed in 0..<6 {
      #expect(try await answerAlone(Self.prompt(seed: seed), maxTokens: 60) == answers[seed])
    }
    await scheduler.shutDown()
    #expect(scheduler.statistics.preemptions > 0)
    #expect(decoder.pagePool.usedBytes == 0)
  }
}
