import Generation
import Kernels
import ModelFiles
import Testing
import Transformer

private typealias Fixture = SchedulerFixture

/// Rows that are given in the place of tokens' embeddings.
@Suite struct EmbeddingTests {
  /// The embeddings of tokens, as they enter a model's first layer.
  private func rows(of tokens: some Collection<Int32>, _ name: String) throws -> FloatBuffer {
    let file = try GGUFFile(path: Fixture.path("\(name).gguf"))
    let table = try #require(try file.tensor(named: "token_embd.weight"))
    let width = table.info.shape[1]
    let floats = try dequantize(
      table.info.elementType, table.bytes, count: table.info.shape[0] * width)
    let scale = try Fixture.decoder(name).configuration.embeddingScale
    let rows = try FloatBuffer(rows: tokens.count, width: width)
    for (row, token) in tokens.enumerated() {
      for column in 0..<width { rows[row, column] = floats[Int(token) * width + column] * scale }
    }
    return rows
  }

  /// A prompt with placeholders where its tokens' embeddings are given.
  private func request(
    _ prompt: [Int32], given ranges: [Range<Int>], _ name: String, identity: String = "a",
    rowsSeeAll: Bool = false
  ) throws -> GenerationRequest {
    var tokens = prompt
    var spans: [EmbeddingSpan] = []
    for range in ranges {
      // Rows before and behind, which are not this span's.
      let wider = range.lowerBound - 1..<range.upperBound + 1
      spans.append(
        EmbeddingSpan(
          position: range.lowerBound, range: 1..<1 + range.count,
          rows: try rows(of: prompt[wider], name), identity: "\(identity) \(range)",
          rowsSeeAll: rowsSeeAll))
      for position in range { tokens[position] = 7 }
    }
    var request = GenerationRequest(
      promptTokens: tokens, parameters: SamplingParameters(maxTokens: 12))
    request.embeddings = spans
    return request
  }

  @Test(arguments: ["tiny-llama", "tiny-gemma3", "tiny-lfm2", "tiny-gemma2"])
  func standInTokensPlaces(name: String) async throws {
    // Some have a vocabulary of 64.
    let prompts = (0..<3).map { Fixture.prompt(150, seed: 5 + $0).map { $0 % 64 } }
    var expected: [String] = []
    for prompt in prompts {
      expected.append(
        try await Fixture.scheduler(try Fixture.decoder(name)).answer(prompt).text)
    }
    // In one pass, and in many with others beside it.
    for rows in [512, 32] {
      let scheduler = Fixture.scheduler(try Fixture.decoder(name) { $0.maximumRows = rows })
      try await withThrowingTaskGroup(of: (Int, String).self) { group in
        for (index, prompt) in prompts.enumerated() {
          let request = try request(
            prompt, given: [1..<3, 40..<41, 41..<100, 140..<149], name, identity: "\(index)")
          group.addTask { (index, try await Answer(scheduler.generate(request)).text) }
        }
        for try await (index, text) in group { #expect(text == expected[index]) }
      }
      await scheduler.shutDown()
    }
  }

  /// An image whose rows see each other fills a whole pass, beside others that read and decode, and is reused in part.
  @Test(arguments: ["tiny-llama", "tiny-gemma3"])
  func rowsThatSeeEachOtherGoTogether(name: String) async throws {
    let images = [20..<52, 60..<92, 92..<123]
    let prompts = (0..<3).map { Fixture.prompt(150, seed: 5 + $0).map { $0 % 64 } }
    func ask(_ index: Int) throws -> GenerationRequest {
      try request(prompts[index], given: images, name, identity: "\(index)", rowsSeeAll: true)
    }
    var expected: [String] = []
    for index in prompts.indices {
      let alone = Fixture.scheduler(try Fixture.decoder(name))
      expected.append(try await Answer(alone.generate(ask(index))).text)
    }
    let scheduler = Fixture.scheduler(try Fixture.decoder(name) { $0.maximumRows = 32 }) {
      $0.prefillRowsWhileDecoding = 8
    }
    for round in 0..<2 {
      try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
        for index in prompts.indices {
          let request = try ask(index)
          group.addTask { (index, try await Answer(scheduler.generate(request))) }
        }
        for try await (index, answer) in group {
          #expect(answer.text == expected[index])
          // The first 64 end in the second image.
          #expect(answer.summary?.reusedPromptTokens == round * 128)
        }
      }
    }
    var shorter = try ask(0)
    shorter.promptTokens = Array(shorter.promptTokens.prefix(125))
    let alone = Fixture.scheduler(try Fixture.decoder(name))
    let again = try await Answer(scheduler.generate(shorter))
    #expect(try await Answer(alone.generate(shorter)).text == again.text)
    #expect(again.summary?.reusedPromptTokens == 64)
    // More rows than a pass holds could never be read.
    let large = try request(prompts[0], given: [20..<53], name, rowsSeeAll: true)
    let error = #expect(throws: GenerationError.self) { _ = try scheduler.generate(large) }
    guard case .invalidParameter(name: "embeddings", _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  /// Prompts with the same placeholders share what was computed only where the same rows stand in them.
  @Test func beginningsAreSharedByWhatWasGiven() async throws {
    let name = "tiny-llama"
    let scheduler = Fixture.scheduler(try Fixture.decoder(name))
    let prompt = Fixture.prompt(150, seed: 5)
    var other = prompt
    for position in 70..<90 { other[position] = (prompt[position] + 11) % 96 }
    var reused: [Int?] = []
    for (text, identity) in [
      (prompt, "a"), (prompt, "a"), (other, "b"), (prompt, "a"), (other, "b"),
    ] {
      let alone = try await Fixture.scheduler(try Fixture.decoder(name)).answer(text).text
      let answer = try await Answer(
        scheduler.generate(request(text, given: [70..<90], name, identity: identity)))
      #expect(answer.text == alone)
      reused.append(answer.summary?.reusedPromptTokens)
    }
    #expect(reused == [0, 128, 64, 128, 128])
    // The placeholders themselves are a text of their own.
    let plain = try request(prompt, given: [70..<90], name).promptTokens
    #expect(try await scheduler.answer(plain).summary?.reusedPromptTokens == 64)
  }

  /// A sequence that gave its memory up reads its images again.
  @Test func memoryPressure() async throws {
    let name = "tiny-llama"
    let prompts = (0..<6).map { Fixture.prompt(60, seed: $0) }
    var expected: [String] = []
    for prompt in prompts {
      expected.append(
        try await Fixture.scheduler(try Fixture.decoder(name)).answer(prompt, maxTokens: 80).text)
    }
    let block = try Fixture.decoder().pagePool.bytesPerBlock
    let tight = Fixture.scheduler(try Fixture.decoder { $0.keyValueLimitBytes = 5 * block })
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for (index, prompt) in prompts.enumerated() {
        var request = try request(prompt, given: [10..<30], name, identity: "\(index)")
        request.parameters.maxTokens = 80
        let made = request
        group.addTask { (index, try await Answer(tight.generate(made)).text) }
      }
      for try await (index, text) in group { #expect(text == expected[index]) }
    }
    await tight.shutDown()
    #expect(tight.statistics.preemptions > 0)
  }

  @Test func whatIsNoModelsIsRefused() async throws {
    let scheduler = Fixture.scheduler(try Fixture.decoder())
    let prompt = Fixture.prompt(30, seed: 1)
    let good = try rows(of: prompt, "tiny-llama")
    let narrow = try FloatBuffer(rows: 30, width: good.width - 1)
    let wrong: [[(Int, Range<Int>, FloatBuffer)]] = [
      [(0, 0..<31, good)], [(5, 0..<26, good)], [(-1, 0..<2, good)], [(0, 3..<3, good)],
      [(0, -1..<2, good)], [(0, 0..<2, narrow)], [(0, 0..<5, good), (4, 5..<6, good)],
      [(8, 0..<2, good), (0, 0..<2, good)],
    ]
    for spans in wrong {
      var request = GenerationRequest(promptTokens: prompt, parameters: SamplingParameters())
      request.embeddings = spans.map {
        EmbeddingSpan(position: $0.0, range: $0.1, rows: $0.2, identity: "x")
      }
      let error = #expect(throws: GenerationError.self) { _ = try scheduler.generate(request) }
      guard case .invalidParameter(name: "embeddings", _, _)? = error else {
        Issue.record("\(spans.map { ($0.0, $0.1) }): \(String(describing: error))")
        continue
      }
    }
  }
}
