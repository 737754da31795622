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

  private func answerAlone(
    _ prompt: [Int32], maxTokens: Int, of name: String = name
  ) async throws -> String {
    let scheduler = Fixture.scheduler(try Fixture.decoder(name)) {
      $0.draftTokens = 0
      $0.prefixCacheBytes = 0
    }
    let answer = try await scheduler.answer(prompt, maxTokens: maxTokens)
    await scheduler.shutDown()
    return answer.text
  }

  /// The same beginning again and again, with guesses allowed, as a conversation has it.
  @Test(arguments: [
    name, "tiny-lfm2", "tiny-granitehybrid-dense", "tiny-nemotronh-moe", "tiny-mamba2",
  ])
  func earlierTextsAndGuessesChangeNoAnswer(name: String) async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder(name))
    for seed in 0..<2 {
      var prompt = Self.prompt(seed: seed)
      for _ in 0..<3 {
        let expected = try await answerAlone(prompt, maxTokens: 20, of: name)
        let answer = try await scheduler.answer(prompt, maxTokens: 20)
        #expect(answer.text == expected)
        #expect(answer.summary?.draftedTokens == 0)
        prompt += answer.text.split(separator: " ").compactMap { Int32($0) } + [1, 2, 3]
      }
    }
    await scheduler.shutDown()
  }

  private static func tokens(_ text: String) -> [Int32] {
    text.split(separator: " ").compactMap { Int32($0) }
  }

  private static func prompt(_ count: Int, seed: Int) -> [Int32] {
    Fixture.prompt(count, seed: seed).map { $0 % 64 }
  }

  /// What each prompt leaves to be computed: all, or what stands behind a snapshot.
  @Test func conversationsGoOnFromSnapshots() async throws {
    let decoder = try Fixture.decoder(Self.name)
    let scheduler = Fixture.scheduler(decoder)
    func reused(_ prompt: [Int32], maxTokens: Int) async throws -> (Int?, [Int32]) {
      let answer = try await scheduler.answer(prompt, maxTokens: maxTokens)
      #expect(answer.text == (try await answerAlone(prompt, maxTokens: maxTokens)))
      return (answer.summary?.reusedPromptTokens, Self.tokens(answer.text))
    }
    let first = Self.prompt(140, seed: 3)
    let (none, said) = try await reused(first, maxTokens: 60)
    #expect(none == 0)
    // The next turn has the whole last one before it: 199 tokens are known, 192 of them in full blocks.
    let (whole, more) = try await reused(first + said + [1, 2, 3], maxTokens: 8)
    #expect(whole == 192)
    // Or not what was answered: the prompt's full blocks are known.
    let (part, _) = try await reused(first + more, maxTokens: 4)
    #expect(part == 128)
    await scheduler.shutDown()
    #expect(decoder.pagePool.usedBytes == 0)
  }

  /// Where prompts part, the second one leaves a snapshot for the third.
  @Test func aCommonBeginningIsLearnt() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder(Self.name))
    let system = Self.prompt(150, seed: 1)
    var reused: [Int?] = []
    for seed in 4..<7 {
      let prompt = system + Self.prompt(60, seed: seed)
      let answer = try await scheduler.answer(prompt, maxTokens: 8)
      #expect(answer.text == (try await answerAlone(prompt, maxTokens: 8)))
      reused.append(answer.summary?.reusedPromptTokens)
    }
    #expect(reused == [0, 0, 128])
    await scheduler.shutDown()
  }

  /// Conversations beside each other, in memory for few snapshots.
  @Test func snapshotsInLittleMemoryChangeNoAnswer() async throws {
    let pool = try Fixture.decoder(Self.name).pagePool
    let limit = 5 * pool.bytesPerSequence + 24 * pool.bytesPerBlock
    let decoder = try Fixture.decoder(Self.name) { $0.keyValueLimitBytes = limit }
    let scheduler = Fixture.scheduler(decoder)
    var prompts = (0..<4).map { Self.prompt(140 + 10 * $0, seed: $0 % 2) }
    for _ in 0..<2 {
      let given = prompts
      let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
        for (index, prompt) in given.enumerated() {
          group.addTask { (index, try await scheduler.answer(prompt, maxTokens: 40).text) }
        }
        return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
      }
      for (index, prompt) in given.enumerated() {
        let text = try #require(answers[index])
        #expect(text == (try await answerAlone(prompt, maxTokens: 40)))
        prompts[index] += Self.tokens(text) + [7]
      }
    }
    await scheduler.shutDown()
    #expect(decoder.pagePool.usedBytes == 0)
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
