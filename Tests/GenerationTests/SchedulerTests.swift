import Generation
import Testing
import Transformer

@Suite struct SchedulerTests {
  private typealias Fixture = SchedulerFixture

  @Test func eventsComeInOrderAndAreCounted() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder())
    let answer = try await scheduler.answer(Fixture.prompt(20, seed: 1), maxTokens: 5)
    let summary = try #require(answer.summary)
    #expect(answer.startedCount == 1)
    #expect(answer.text.split(separator: " ").count == 5)
    #expect(summary.finishReason == .maxTokens)
    #expect(summary.promptTokens == 20)
    #expect(summary.completionTokens == 5)
    #expect(summary.timings.firstTokenMilliseconds > 0)
    await scheduler.shutDown()
    let statistics = scheduler.statistics
    #expect(statistics.promptTokens == 20)
    #expect(statistics.completionTokens == 5)
  }

  /// Many at a time, with a budget of rows that cuts every prompt, equals each alone.
  @Test(arguments: ["tiny-llama", "tiny-gemma3"], [Float(0), 0.9])
  func batchEqualsAlone(name: String, temperature: Float) async throws {
    let prompts = (0..<12).map { Fixture.prompt(1 + 13 * $0 % 100, seed: $0) }
    let alone = Fixture.scheduler(try Fixture.decoder(name))
    var expected: [String] = []
    for (index, prompt) in prompts.enumerated() {
      expected.append(
        try await alone.answer(prompt, maxTokens: 20) {
          $0.temperature = temperature
          $0.seed = UInt64(index)
        }.text)
    }
    let together = Fixture.scheduler(
      try Fixture.decoder(name) { $0.maximumRows = 24 }
    ) {
      $0.prefillRowsWhileDecoding = 7
    }
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for (index, prompt) in prompts.enumerated() {
        group.addTask {
          let answer = try await together.answer(prompt, maxTokens: 20) {
            $0.temperature = temperature
            $0.seed = UInt64(index)
          }
          return (index, answer.text)
        }
      }
      for try await (index, text) in group { #expect(text == expected[index]) }
    }
  }

  /// With memory for two sequences, the others wait or are computed again; all answers are right.
  @Test func memoryPressureChangesNoAnswer() async throws {
    let prompts = (0..<6).map { Fixture.prompt(60, seed: $0) }
    let alone = Fixture.scheduler(try Fixture.decoder())
    var expected: [String] = []
    for prompt in prompts { expected.append(try await alone.answer(prompt, maxTokens: 80).text) }
    let block = try Fixture.decoder().pagePool.bytesPerBlock
    let decoder = try Fixture.decoder { $0.keyValueLimitBytes = 5 * block }
    let tight = Fixture.scheduler(decoder)
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for (index, prompt) in prompts.enumerated() {
        group.addTask { (index, try await tight.answer(prompt, maxTokens: 80).text) }
      }
      for try await (index, text) in group { #expect(text == expected[index]) }
    }
    // The thread counts and frees after it has sent the last event.
    await tight.shutDown()
    #expect(tight.statistics.preemptions > 0)
    #expect(decoder.pagePool.usedBlocks == 0)
  }

  /// What an earlier request computed is taken over, and changes nothing.
  @Test(arguments: ["tiny-llama", "tiny-gemma3"])
  func sharedBeginningsAreComputedOnce(name: String) async throws {
    let beginning = Fixture.prompt(150, seed: 5)
    let prompts = [beginning, beginning + [1, 2, 3], beginning + [4], Array(beginning[..<128])]
    let scheduler = Fixture.scheduler(try Fixture.decoder(name))
    for (index, prompt) in prompts.enumerated() {
      let fresh = try await Fixture.scheduler(try Fixture.decoder(name)).answer(prompt)
      let answer = try await scheduler.answer(prompt)
      #expect(answer.text == fresh.text)
      #expect(fresh.summary?.reusedPromptTokens == 0)
      // Whole blocks of 64, and at least one token is computed.
      #expect(answer.summary?.reusedPromptTokens == [0, 128, 128, 64][index])
    }
    // Another beginning takes nothing over.
    let other = try await scheduler.answer([9] + beginning)
    #expect(other.summary?.reusedPromptTokens == 0)
  }

  /// A conversation's next turn takes the last answer over, too.
  @Test func answersAreRemembered() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder())
    let prompt = Fixture.prompt(30, seed: 6)
    let answer = try await scheduler.answer(prompt, maxTokens: 60)
    let tokens = answer.text.split(separator: " ").compactMap { Int32($0) }
    let next = try await scheduler.answer(prompt + tokens + [1, 2])
    #expect(next.summary?.reusedPromptTokens == 64)
  }

  @Test func memoryForLessThanTheAnswer() async throws {
    let block = try Fixture.decoder().pagePool.bytesPerBlock
    let decoder = try Fixture.decoder { $0.keyValueLimitBytes = block }
    let scheduler = Fixture.scheduler(decoder)
    let answer = try await scheduler.answer(Fixture.prompt(60, seed: 1), maxTokens: 50)
    #expect(answer.summary?.finishReason == .memoryLimit)
    #expect(answer.summary?.completionTokens == 5)
    let needed = GenerationError.keyValueMemoryTooSmall(
      neededBytes: 2 * block, limitBytes: block)
    await #expect(throws: needed) {
      try await scheduler.answer(Fixture.prompt(65, seed: 1))
    }
  }

  @Test func contextLimit() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder { $0.contextLength = 30 })
    await #expect(throws: GenerationError.promptTooLong(promptTokens: 30, contextLength: 30)) {
      try await scheduler.answer(Fixture.prompt(30, seed: 1))
    }
    let answer = try await scheduler.answer(Fixture.prompt(25, seed: 1), maxTokens: nil)
    #expect(answer.summary?.finishReason == .contextLimit)
    // Positions 25 to 29 are read back, and the token after the last needs none.
    #expect(answer.summary?.completionTokens == 6)
    let last = try await scheduler.answer(Fixture.prompt(29, seed: 1), maxTokens: nil)
    #expect(last.summary?.finishReason == .contextLimit)
  }

  @Test func requestsThatCannotRun() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder())
    await #expect(throws: GenerationError.emptyPrompt) { try await scheduler.answer([]) }
    for token: Int32 in [-1, 96, .max] {
      await #expect(
        throws: GenerationError.tokenOutOfRange(token: token, vocabularySize: 96)
      ) { try await scheduler.answer([1, token]) }
    }
    await #expect(throws: GenerationError.self) {
      try await scheduler.answer([1]) { $0.temperature = .nan }
    }
  }

  @Test func endTokensAndStopStrings() async throws {
    let decoder = try Fixture.decoder()
    let prompt = Fixture.prompt(9, seed: 4)
    let plain = try await Fixture.scheduler(decoder).answer(prompt, maxTokens: 12)
    let tokens = plain.text.split(separator: " ").compactMap { Int32($0) }
    let end = tokens[5]
    let before = try #require(tokens.firstIndex(of: end))
    let scheduler = Fixture.scheduler(try Fixture.decoder(), endTokens: [end])
    let ended = try await scheduler.answer(prompt, maxTokens: 12)
    #expect(ended.summary?.finishReason == .endToken)
    #expect(ended.text == tokens[..<before].map { "\($0) " }.joined())
    let ignoring = try await scheduler.answer(prompt, maxTokens: 12) { $0.ignoreEndToken = true }
    #expect(ignoring.text == plain.text)
    // A stop string across two tokens.
    let stop = "\(tokens[before]) \(tokens[before + 1])"
    let stopped = try await scheduler.answer(prompt, maxTokens: 12) {
      $0.ignoreEndToken = true
      $0.stop = [stop]
    }
    #expect(stopped.summary?.finishReason == .stopString(stop))
    #expect(!stopped.text.contains(stop))
    #expect(plain.text.hasPrefix(stopped.text))
  }

  @Test func logprobsOnRequest() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder())
    let prompt = Fixture.prompt(9, seed: 4)
    let answer = try await scheduler.answer(prompt, maxTokens: 4) { $0.logprobs = 3 }
    #expect(answer.logprobs.count == 4)
    let tokens = answer.text.split(separator: " ").compactMap { Int32($0) }
    let scores = try await scheduler.score(prompt + tokens)
    for (index, logprob) in answer.logprobs.enumerated() {
      #expect(logprob.chosen.token == tokens[index])
      #expect(logprob.top.first == logprob.chosen)
      let scored = try #require(scores.logprobs[prompt.count + index])
      #expect(abs(scored - logprob.chosen.logprob) < 1e-4)
      #expect(scores.top[prompt.count + index] == tokens[index])
    }
  }

  @Test func scoresEqualTheDecodersLogits() async throws {
    let tokens = Fixture.prompt(90, seed: 3)
    // Scores come in chunks of rows, and in slices of logits.
    let scheduler = Fixture.scheduler(
      try Fixture.decoder {
        $0.maximumRows = 16
        $0.logitBytes = 5 * 96 * 4
      })
    let scores = try await scheduler.score(tokens)
    #expect(scores.logprobs.count == 90 && scores.top.count == 90)
    #expect(scores.logprobs[0] == nil && scores.top[0] == nil)
    let whole = try await Fixture.scheduler(try Fixture.decoder()).score(tokens)
    for (score, other) in zip(scores.logprobs.dropFirst(), whole.logprobs.dropFirst()) {
      #expect(abs(try #require(score) - (try #require(other))) < 1e-4)
    }
    let loss = try await scheduler.lossOfContinuation(
      prompt: Array(tokens[..<40]), answer: Array(tokens[40...]), answerBytes: 100)
    let expected = whole.logprobs[40...].reduce(0) { $0 - Double($1 ?? 0) }
    #expect(abs(loss.lossNats - expected) < 1e-2)
    #expect(loss.answerTokens == 50)
  }

  /// The model's thread is held up at the fourth token; the consumer leaves; no fifth comes.
  @Test func cancellationStopsWithinOneToken() async throws {
    let decoder = try Fixture.decoder()
    let gate = Gate()
    let scheduler = Scheduler(decoder: decoder, endTokens: []) { GatedText(gate: gate) }
    let task = Task {
      try await scheduler.answer(Fixture.prompt(5, seed: 1), maxTokens: nil).summary
    }
    while !gate.isReached { try await Task.sleep(for: .milliseconds(1)) }
    task.cancel()
    #expect(try await task.value == nil)
    gate.open()
    await scheduler.shutDown()
    #expect(decoder.pagePool.usedBlocks == 0)
    #expect(scheduler.statistics.completionTokens == 4)
  }

  @Test func leavingTheLoopStopsIt() async throws {
    let decoder = try Fixture.decoder("tiny-gemma3")
    let scheduler = Fixture.scheduler(decoder)
    var count = 0
    let stream = try scheduler.generate(
      GenerationRequest(
        promptTokens: Fixture.prompt(5, seed: 2), parameters: SamplingParameters()))
    // A function, so that the iterator ends with it.
    func readThree(_ stream: consuming GenerationStream) async throws {
      for try await _ in stream {
        count += 1
        if count == 3 { break }
      }
    }
    try await readThree(stream)
    #expect(count == 3)
  }

  @Test func fullQueueRefuses() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder("tiny-gemma3")) {
      $0.waitingLimit = 2
      $0.runningLimit = 1
    }
    var streams: [GenerationStream] = []
    var refused = 0
    for seed in 0..<8 {
      do throws(GenerationError) {
        streams.append(
          try scheduler.generate(
            GenerationRequest(
              promptTokens: Fixture.prompt(100, seed: seed),
              parameters: SamplingParameters(maxTokens: 60))))
      } catch {
        #expect(error == .queueFull(limit: 2))
        refused += 1
      }
    }
    #expect(refused > 0)
    for stream in streams {
      #expect(try await Answer(stream).summary?.completionTokens == 60)
    }
  }

  @Test func shutDownFinishesWhatRuns() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder())
    let streams = try (0..<4).map { seed in
      try scheduler.generate(
        GenerationRequest(
          promptTokens: Fixture.prompt(50, seed: seed),
          parameters: SamplingParameters(maxTokens: 30)))
    }
    await scheduler.shutDown(finishing: true)
    for stream in streams {
      #expect(try await Answer(stream).summary?.completionTokens == 30)
    }
    await #expect(throws: GenerationError.shutDown) { try await scheduler.answer([1]) }
    await #expect(throws: GenerationError.shutDown) { try await scheduler.score([1, 2]) }
  }

  @Test func shutDownCancels() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder("tiny-gemma3"))
    let stream = try scheduler.generate(
      GenerationRequest(
        promptTokens: Fixture.prompt(5, seed: 1), parameters: SamplingParameters()))
    await scheduler.shutDown(finishing: false)
    await #expect(throws: GenerationError.shutDown) { try await Answer(stream) }
  }

  /// A consumer that does not read holds nobody up.
  @Test func slowConsumer() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder())
    let unread = try scheduler.generate(
      GenerationRequest(
        promptTokens: Fixture.prompt(5, seed: 1),
        parameters: SamplingParameters(maxTokens: 200)))
    let answer = try await scheduler.answer(Fixture.prompt(5, seed: 2), maxTokens: 100)
    #expect(answer.summary?.completionTokens == 100)
    #expect(try await Answer(unread).summary?.completionTokens == 200)
  }
}
