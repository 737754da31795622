import Generation
import Testing
import Transformer

/// The scheduler with keys and values as bytes: nothing that it does with their pages changes an answer.
@Suite struct KeyValueTypeTests {
  private typealias Fixture = SchedulerFixture

  private func decoder(_ name: String, limit: Int? = nil) throws -> Decoder {
    try Fixture.decoder(name) {
      $0.keyValueType = .int8
      if let limit { $0.keyValueLimitBytes = limit }
    }
  }

  /// Alone without guesses; together, with guesses, in memory that is too small for all; and a second time, when the
  /// prompts' beginnings are known.
  @Test(arguments: ["tiny-llama", "tiny-gemma3"])
  func answersDoNotDependOnTheirNeighbours(name: String) async throws {
    let prompts = (0..<5).map { Fixture.prompt(70, seed: $0 % 4) + Fixture.prompt(5, seed: $0) }
    let alone = Fixture.scheduler(try decoder(name)) { $0.draftTokens = 0 }
    var expected: [String] = []
    for prompt in prompts { expected.append(try await alone.answer(prompt, maxTokens: 70).text) }
    let block = try decoder(name).pagePool.bytesPerBlock
    let tight = try decoder(name, limit: 6 * block)
    let together = Fixture.scheduler(tight)
    for _ in 0..<2 {
      try await withThrowingTaskGroup(of: (Int, String).self) { group in
        for (index, prompt) in prompts.enumerated() {
          group.addTask { (index, try await together.answer(prompt, maxTokens: 70).text) }
        }
        for try await (index, text) in group { #expect(text == expected[index]) }
      }
    }
    let again = try await together.answer(prompts[0], maxTokens: 70)
    #expect(again.text == expected[0])
    #expect(again.summary?.reusedPromptTokens == 64)
    await together.shutDown()
    #expect(together.statistics.preemptions > 0)
    #expect(tight.pagePool.usedBlocks == 0)
  }
}
