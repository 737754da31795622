import Foundation
import Generation
import Testing
import Transformer

/// Requests with adapters of their own in one scheduler.
@Suite struct AdapterTests {
  private typealias Fixture = SchedulerFixture

  private func adapters(_ decoder: Decoder) throws -> [Adapter?] {
    let names = [
      "all", "attention", "feed-forward", "half", "keys", "one-layer", "patterns", "root-scale",
    ]
    return try [nil]
      + names.map {
        try Adapter(path: Fixture.path("adapters/\($0)"), target: decoder.adapterTarget)
      }
  }

  private func answer(
    _ scheduler: Scheduler, _ prompt: [Int32], _ adapter: Adapter?
  ) async throws -> Answer {
    try await Answer(
      scheduler.generate(
        GenerationRequest(
          promptTokens: prompt, parameters: SamplingParameters(maxTokens: 20), adapter: adapter)))
  }

  @Test func eachRequestHasItsOwnAdapter() async throws {
    let decoder = try Fixture.decoder("adapters/base")
    let adapters = try adapters(decoder)
    let alone = Fixture.scheduler(decoder)
    let prompts = (0..<18).map { Fixture.prompt(1 + 11 * $0 % 100, seed: $0) }
    var expected: [String] = []
    for (index, prompt) in prompts.enumerated() {
      expected.append(try await answer(alone, prompt, adapters[index % adapters.count]).text)
    }
    await alone.shutDown()
    let together = Fixture.scheduler(decoder) { $0.prefillRowsWhileDecoding = 7 }
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for (index, prompt) in prompts.enumerated() {
        group.addTask {
          (index, try await answer(together, prompt, adapters[index % adapters.count]).text)
        }
      }
      for try await (index, text) in group { #expect(text == expected[index]) }
    }
  }

  /// The same prompt with another adapter has other keys and values.
  @Test func onlyTheSameAdapterSharesABeginning() async throws {
    let decoder = try Fixture.decoder("adapters/base")
    let adapters = try adapters(decoder)
    let scheduler = Fixture.scheduler(decoder)
    let prompt = Fixture.prompt(150, seed: 5)
    var first: [String] = []
    for adapter in adapters {
      let answer = try await answer(scheduler, prompt, adapter)
      #expect(answer.summary?.reusedPromptTokens == 0)
      first.append(answer.text)
    }
    #expect(Set(first).count > 1)
    for (index, adapter) in adapters.enumerated() {
      let answer = try await answer(scheduler, prompt, adapter)
      #expect(answer.summary?.reusedPromptTokens == 128)
      #expect(answer.text == first[index])
    }
  }

  @Test func scoresAreThoseOfTheAdapter() async throws {
    let decoder = try Fixture.decoder("adapters/base")
    let adapters = try adapters(decoder)
    let scheduler = Fixture.scheduler(decoder)
    let text = Fixture.prompt(40, seed: 3)
    var losses: Set<Double> = []
    for adapter in adapters {
      let scores = try await scheduler.score(text, adapter: adapter)
      losses.insert(scores.lossNats)
      let loss = try await scheduler.lossOfContinuation(
        prompt: Array(text[..<10]), answer: Array(text[10...]), answerBytes: 30, adapter: adapter)
      let byHand = scores.logprobs[10...].reduce(0) { $0 - Double($1 ?? 0) }
      #expect(abs(loss.lossNats - byHand) < 1e-6)
    }
    #expect(losses.count == adapters.count)
  }

  @Test func anAdapterOfAnotherModelIsRefused() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder("adapters/base"))
    let other = try adapters(try Fixture.decoder("adapters/base"))[1]
    #expect(throws: GenerationError.self) {
      try scheduler.generate(
        GenerationRequest(promptTokens: [1], parameters: SamplingParameters(), adapter: other))
    }
    await #expect(throws: GenerationError.self) {
      _ = try await scheduler.score([1, 2], adapter: other)
    }
  }
}
