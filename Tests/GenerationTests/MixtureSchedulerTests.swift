import Foundation
import Generation
import Testing
import Transformer

/// What a request asks of a model's gates, and what it learns of them.
@Suite struct MixtureSchedulerTests {
  private func answer(
    _ scheduler: Scheduler, _ prompt: [Int32], gating: GateRequest = GateRequest()
  ) async throws -> GenerationSummary {
    let stream = try scheduler.generate(
      GenerationRequest(
        promptTokens: prompt, parameters: SamplingParameters(maxTokens: 5), gating: gating))
    return try #require(try await Answer(stream).summary)
  }

  private let prompt = SchedulerFixture.prompt(70, seed: 3).map { $0 % 64 }

  @Test func summariesCountExperts() async throws {
    let scheduler = SchedulerFixture.scheduler(try SchedulerFixture.decoder("tiny-mixtral"))
    let first = try await answer(scheduler, prompt)
    let gates = try #require(first.gateStatistics)
    #expect(gates.meanActive == 2)
    #expect(gates.maximumActive == 2)
    // The last token is not computed: 70 + 4 tokens in 2 layers.
    #expect(gates.choiceCount == 74 * 2)
    // A request that asks otherwise takes over nothing that was computed for this one.
    let fewer = try await answer(scheduler, prompt, gating: GateRequest(expertsK: 1))
    #expect(fewer.reusedPromptTokens == 0)
    #expect(fewer.gateStatistics?.meanActive == 1)
    let again = try await answer(scheduler, prompt)
    #expect(again.reusedPromptTokens == 64)
    #expect(again.gateStatistics?.choiceCount == 10 * 2)
    await scheduler.shutDown()
  }

  /// A gate that is smoothed over a sequence's tokens has to see all of them itself.
  @Test func smoothedGatesShareNoPrefixes() async throws {
    let scheduler = SchedulerFixture.scheduler(
      try SchedulerFixture.decoder("tiny-mixtral") {
        $0.gate = .smoothed(
          2, by: GateSmoothing(mix: 0.7, similarity: .cosine(temperature: 0.2)))
      })
    let first = try await scheduler.answer(prompt)
    for _ in 0..<2 {
      let again = try await scheduler.answer(prompt)
      #expect(again.text == first.text)
      #expect(again.summary?.reusedPromptTokens == 0)
    }
    #expect(scheduler.statistics.reusedPromptTokens == 0)
    await scheduler.shutDown()
  }

  /// Pages alone would fit all sequences at once; with what smoothed gates remember, only one or two.
  @Test func memoryOfSmoothedGatesIsLimited() async throws {
    func decoder(limit: Int?) throws -> Decoder {
      try SchedulerFixture.decoder("tiny-mixtral") {
        $0.gate = .smoothed(
          2, by: GateSmoothing(mix: 0.7, similarity: .cosine(temperature: 0.2)))
        if let limit { $0.keyValueLimitBytes = limit }
      }
    }
    let prompts = (0..<3).map { seed in SchedulerFixture.prompt(60, seed: seed).map { $0 % 64 } }
    let alone = SchedulerFixture.scheduler(try decoder(limit: nil))
    var expected: [String] = []
    for prompt in prompts { expected.append(try await alone.answer(prompt, maxTokens: 80).text) }
    await alone.shutDown()
    let block = try decoder(limit: nil).bytesPerBlock()
    let tightDecoder = try decoder(limit: 5 * block)
    let tight = SchedulerFixture.scheduler(tightDecoder)
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for (index, prompt) in prompts.enumerated() {
        group.addTask { (index, try await tight.answer(prompt, maxTokens: 80).text) }
      }
      for try await (index, text) in group { #expect(text == expected[index]) }
    }
    // A prompt that only its pages would fit.
    let long = (0..<250).map { Int32($0 % 64) }
    let needed = GenerationError.keyValueMemoryTooSmall(
      neededBytes: 4 * block, limitBytes: 4 * block - 1)
    let smaller = SchedulerFixture.scheduler(try decoder(limit: 4 * block - 1))
    await #expect(throws: needed) { try await smaller.answer(long) }
    await tight.shutDown()
    #expect(tight.statistics.preemptions > 0)
    #expect(tightDecoder.pagePool.usedBytes == 0)
  }

  /// A mixture that is merged for each task: requests with the same task share one adapter, and with it
  /// what was computed for equal beginnings.
  @Test func tasksAreMergedOnce() async throws {
    let decoder = try SchedulerFixture.decoder("adapters/base")
    let mixture = try Adapter(
      mixturePath: SchedulerFixture.path("adapters/mixture-tasks"), target: decoder.adapterTarget)
    let scheduler = SchedulerFixture.scheduler(decoder)
    func answer(task: Int?) async throws -> Answer {
      try await Answer(
        scheduler.generate(
          GenerationRequest(
            promptTokens: prompt, parameters: SamplingParameters(maxTokens: 5), adapter: mixture,
            gating: GateRequest(task: task))))
    }
    let first = try await answer(task: 0)
    #expect(try await answer(task: 1).summary?.reusedPromptTokens == 0)
    let again = try await answer(task: 0)
    #expect(again.text == first.text)
    #expect(again.summary?.reusedPromptTokens == 64)
    #expect(mixture.mergeCount == 2)
    #expect(again.summary?.gateStatistics == nil)
    await #expect(throws: GenerationError.self) { try await answer(task: 3) }
    // Scores are those of the uniform row.
    let scores = try await scheduler.score(prompt, adapter: mixture)
    #expect(try await scheduler.score(prompt, adapter: mixture) == scores)
    #expect(try await scheduler.score(prompt) != scores)
    #expect(mixture.mergeCount == 3)
    await scheduler.shutDown()
  }

  /// A request without gates learns of none, whoever runs beside it, and before it in the batch.
  @Test func onlyWhoHasGatesLearnsOfThem() async throws {
    let decoder = try SchedulerFixture.decoder("adapters/base")
    let mixture = try Adapter(
      mixturePath: SchedulerFixture.path("adapters/mixture-top2"), target: decoder.adapterTarget)
    let gate = Gate()
    let scheduler = Scheduler(decoder: decoder, endTokens: []) { GatedText(gate: gate) }
    func stream(_ adapter: Adapter?, maxTokens: Int) throws -> GenerationStream {
      try scheduler.generate(
        GenerationRequest(
          promptTokens: prompt, parameters: SamplingParameters(maxTokens: maxTokens),
          adapter: adapter))
    }
    // Held up at its fourth token, so that the others join the same batch.
    let first = try stream(nil, maxTokens: 8)
    while !gate.isReached { await Task.yield() }
    let adapters = [nil, mixture, nil, mixture]
    let streams = [first] + (try adapters.map { try stream($0, maxTokens: 8) })
    gate.open()
    for (stream, adapter) in zip(streams, [nil] + adapters) {
      let summary = try #require(try await Answer(stream).summary)
      #expect((summary.gateStatistics != nil) == (adapter != nil))
    }
    await scheduler.shutDown()
  }

  /// A request whose adapter is still being merged is one that waits: it is finished, too.
  @Test func anEndWaitsForWhatIsMerged() async throws {
    let decoder = try SchedulerFixture.decoder("adapters/base")
    let mixture = try Adapter(
      mixturePath: SchedulerFixture.path("adapters/mixture-tasks"), target: decoder.adapterTarget)
    let scheduler = SchedulerFixture.scheduler(decoder)
    let streams = try (0..<3).map { task in
      try scheduler.generate(
        GenerationRequest(
          promptTokens: prompt, parameters: SamplingParameters(maxTokens: 5), adapter: mixture,
          gating: GateRequest(task: task)))
    }
    await scheduler.shutDown()
    for stream in streams {
      #expect(try await Answer(stream).summary?.finishReason == .maxTokens)
    }
  }

  /// Three experts, the first two of rank 4, the last of 8. The load sees the uniform row, which takes
  /// the first two; a task that takes the last can't be averaged, and that is not the client's doing.
  @Test func aMergeThatFailsIsTheModelsError() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "thalamus-mixture-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (index, name) in ["feed-forward", "one-layer", "all"].enumerated() {
      try FileManager.default.createSymbolicLink(
        atPath: folder.path + "/e\(index)",
        withDestinationPath: SchedulerFixture.path("adapters/\(name)"))
    }
    try Data(
      #"""
      {"version": 1, "adapters": ["e0", "e1", "e2"], "merge": "parameters",
       "modules": ["gate_proj", "up_proj", "down_proj"],
       "gates": {"mlp": {"scores": "per_task", "selection": {"kind": "top_k", "k": 2}}}}
      """#.utf8
    ).write(to: folder.appending(path: "mixture.json"))
    let row: [Float] = [3, 1, 2]
    let bytes = row.withUnsafeBytes { Data($0) }
    let header = Data(
      #"""
      {"layers.0.mlp.weight": {"dtype": "F32", "shape": [1, 3], "data_offsets": [0, 12]},
       "layers.1.mlp.weight": {"dtype": "F32", "shape": [1, 3], "data_offsets": [12, 24]}}
      """#.utf8)
    var file = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    file += header + bytes + bytes
    try file.write(to: folder.appending(path: "gate.safetensors"))

    let decoder = try SchedulerFixture.decoder("adapters/base")
    let mixture = try Adapter(mixturePath: folder.path, target: decoder.adapterTarget)
    let scheduler = SchedulerFixture.scheduler(decoder)
    await #expect {
      _ = try await Answer(
        scheduler.generate(
          GenerationRequest(
            promptTokens: prompt, parameters: SamplingParameters(maxTokens: 5), adapter: mixture,
            gating: GateRequest(task: 0))))
    } throws: { error in
      guard case .model? = error as? GenerationError else { return false }
      return true
    }
    // The uniform row still goes.
    #expect(try await scheduler.score(prompt, adapter: mixture).logprobs.count == prompt.count)
    #expect(scheduler.statistics.waiting == 0)
    await scheduler.shutDown()
  }

  @Test func impossibleRequestsAreRefused() async throws {
    let scheduler = SchedulerFixture.scheduler(try SchedulerFixture.decoder("tiny-mixtral"))
    for gating in [
      GateRequest(expertsK: 0), GateRequest(expertsK: 3), GateRequest(expertsK: .max),
      GateRequest(task: 0),
    ] {
      #expect(throws: GenerationError.self) {
        try scheduler.generate(
          GenerationRequest(
            promptTokens: prompt, parameters: SamplingParameters(), gating: gating))
      }
    }
    await scheduler.shutDown()
  }

  @Test func denseModelsHaveNoGates() async throws {
    let scheduler = SchedulerFixture.scheduler(try SchedulerFixture.decoder())
    let summary = try await answer(scheduler, prompt)
    #expect(summary.gateStatistics == nil)
    #expect(throws: GenerationError.self) {
      try scheduler.generate(
        GenerationRequest(
          promptTokens: prompt, parameters: SamplingParameters(),
          gating: GateRequest(expertsK: 1)))
    }
    await scheduler.shutDown()
  }
}
