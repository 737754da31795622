import Foundation
import Generation
import Grammar
import JSON
import Testing
import Tokenization
import Transformer

/// Answers in a format that was asked for, of models whose weights are random.
@Suite struct FormatTests {
  private typealias Fixture = SchedulerFixture

  /// ASCII's printable characters for the tiny models' 96 tokens; the last ends an answer.
  private struct Letters: Tokenizer {
    var vocabularyCount: Int { 96 }
    var beginningOfText: Int32? { nil }
    var endOfText: Int32? { 95 }
    var endTokens: Set<Int32> { [95] }
    var addsSpacePrefix: Bool { false }
    func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
      text.utf8.map { Int32($0) - 32 }
    }
    func bytes(of id: Int32) -> [UInt8] { [UInt8(truncatingIfNeeded: id + 32)] }
    func isSpecial(_ id: Int32) -> Bool { id == 95 }
    func id(ofToken text: String) -> Int32? { nil }
  }

  private static let tokenizer = Letters()
  private static let table = TokenTable(tokenizer)

  private static func format(_ schema: String) throws -> AnswerFormat {
    let value = try JSONParser.parse(Array(schema.utf8))
    return AnswerFormat(grammar: try Grammar.json(schema: value), requestField: value)
  }

  private static let schemas = [
    #"{"type": "object", "properties": {"a": {"type": "integer", "minimum": 10, "maximum": 99}, "b": {"enum": ["x", "yes", 3]}}, "required": ["a", "b"]}"#,
    #"{"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4}"#,
    #"{"type": "string", "pattern": "^[A-F]{2}-[0-9]{3}$"}"#,
    #"{"type": "object", "properties": {"s": {"type": "string", "maxLength": 5}}, "required": ["s"]}"#,
  ]

  private static func request(_ schema: Int, temperature: Float, seed: UInt64) throws
    -> GenerationRequest
  {
    var parameters = SamplingParameters(temperature: temperature, seed: seed, maxTokens: 100)
    let format = try format(schemas[schema])
    parameters.format = format
    var request = GenerationRequest(
      promptTokens: Fixture.prompt(7, seed: Int(seed)), parameters: parameters)
    request.constraint = try TokenConstraint(format.grammar, table)
    return request
  }

  private static func scheduler(_ name: String = "tiny-llama", drafts: Int = 0) throws -> Scheduler
  {
    var options = SchedulerOptions()
    options.draftTokens = drafts
    return Scheduler(
      decoder: try Fixture.decoder(name), tokenizer: tokenizer, options: options)
  }

  @Test(arguments: 0..<4, [0, 0.7, 3] as [Float])
  func answersKeepToTheirFormat(schema: Int, temperature: Float) async throws {
    let scheduler = try Self.scheduler()
    let grammar = try Self.format(Self.schemas[schema]).grammar
    for seed in 0..<6 as Range<UInt64> {
      let answer = try await Answer(
        scheduler.generate(Self.request(schema, temperature: temperature, seed: seed)))
      #expect(answer.summary?.finishReason == .formatComplete)
      #expect(answer.summary?.finishReason.openAIName == "stop")
      let reader = try TokenConstraint(grammar, Self.table)
      for token in Self.tokenizer.encode(answer.text, addSpecial: false, parseSpecial: false) {
        #expect(try reader.take(token), "\(answer.text)")
      }
      #expect(reader.isComplete)
      #expect(throws: Never.self) {
        try JSONSerialization.jsonObject(
          with: Data(answer.text.utf8), options: .fragmentsAllowed)
      }
    }
  }

  /// Beside others, with guesses, and under another's format: the same text.
  @Test func aFormatIsItsAnswersAlone() async throws {
    let alone = try Self.scheduler()
    let together = try Self.scheduler(drafts: 8)
    var expected: [String] = []
    for index in 0..<8 {
      expected.append(
        try await Answer(
          alone.generate(Self.request(index % 4, temperature: 0.8, seed: UInt64(index)))
        ).text)
    }
    let found = try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for index in 0..<8 {
        group.addTask {
          let request = try Self.request(index % 4, temperature: 0.8, seed: UInt64(index))
          return (index, try await Answer(together.generate(request)).text)
        }
      }
      return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
    }
    for index in 0..<8 { #expect(found[index] == expected[index]) }
  }

  @Test func aFormatThatNoTokenFitsEndsItsAnswerAlone() async throws {
    let scheduler = try Self.scheduler()
    var request = try Self.request(0, temperature: 0, seed: 1)
    // No token has this letter.
    request.constraint = try TokenConstraint(
      Self.format(#"{"const": "é"}"#).grammar, Self.table)
    let stream = try scheduler.generate(request)
    let error = await #expect(throws: GenerationError.self) { try await Answer(stream) }
    guard case .formatNotKept? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    let next = try await Answer(scheduler.generate(Self.request(0, temperature: 0, seed: 1)))
    #expect(next.summary?.finishReason == .formatComplete)
  }

  /// Each allowed token comes as often as its share among the allowed.
  @Test func drawsFollowTheSharesOfWhatIsAllowed() throws {
    let grammar = try Self.format(#"{"type": "string", "pattern": "^[abc]$"}"#).grammar
    var logits = [Float](repeating: -20, count: 96)
    let letters = Self.tokenizer.encode("abcz", addSpecial: false, parseSpecial: false).map(
      Int.init)
    // What is not allowed is the most probable.
    for (letter, logit) in zip(letters, [0, 1, 2, 3] as [Float]) { logits[letter] = logit }
    var counts = [Double](repeating: 0, count: 4)
    let draws = 3_000
    for seed in 0..<draws {
      let constraint = try TokenConstraint(grammar, Self.table)
      #expect(try constraint.take(2))
      var sampler = Sampler(
        parameters: SamplingParameters(temperature: 1, seed: UInt64(seed)), constraint: constraint)
      var row = logits
      let token = row.withUnsafeMutableBufferPointer {
        sampler.next(logits: $0, tokens: [], promptCount: 0).token
      }
      let place = try #require(letters.firstIndex(of: Int(token)))
      counts[place] += 1
    }
    let weights = [1, M_E, M_E * M_E]
    for (count, weight) in zip(counts, weights) {
      #expect(abs(count / Double(draws) - weight / weights.reduce(0, +)) < 0.04)
    }
    #expect(counts[3] == 0)
  }

  /// How often each of `abcz` is drawn, of which the last, and most probable, is not allowed.
  private static func shares(
    _ logits: [Float], _ change: (inout SamplingParameters) -> Void = { _ in }
  ) throws -> [Double] {
    let grammar = try format(#"{"type": "string", "pattern": "^[abc]$"}"#).grammar
    let letters = tokenizer.encode("abcz", addSpecial: false, parseSpecial: false).map(Int.init)
    var counts = [Double](repeating: 0, count: 4)
    let draws = 2_000
    for seed in 0..<draws {
      let constraint = try TokenConstraint(grammar, table)
      #expect(try constraint.take(2))
      var parameters = SamplingParameters(temperature: 1, seed: UInt64(seed))
      change(&parameters)
      var sampler = Sampler(parameters: parameters, constraint: constraint)
      var row = [Float](repeating: -20, count: 96)
      for (letter, logit) in zip(letters, logits) { row[letter] = logit }
      let token = row.withUnsafeMutableBufferPointer {
        sampler.next(logits: $0, tokens: [], promptCount: 0).token
      }
      counts[try #require(letters.firstIndex(of: Int(token)))] += 1
    }
    return counts.map { $0 / Double(draws) }
  }

  /// What top-k, top-p and min-p leave, without what is not allowed: and where that is nothing, all that is allowed.
  @Test func truncationComesBeforeTheFormat() throws {
    func expect(_ found: [Double], _ weights: [Double], _ name: String) {
      let total = weights.reduce(0, +)
      for (share, weight) in zip(found, weights) {
        #expect(abs(share - weight / total) < 0.05, "\(name): \(found)")
      }
    }
    let e = M_E
    // z, c and b are left, of which z can't be.
    expect(
      try Self.shares([0, 1, 2, 3]) { $0.topK = 3 },
      [0, e, e * e, 0], "top-k")
    expect(
      try Self.shares([0, 1, 2, 3]) { $0.topP = 0.8 },
      [0, 0, 1, 0], "top-p")
    expect(
      try Self.shares([0, 1, 2, 3]) { $0.minP = 0.1 },
      [0, e, e * e, 0], "min-p")
    // z alone is left.
    expect(
      try Self.shares([0, 1, 2, 30]) { $0.topP = 0.5 },
      [0, 0, 1, 0], "top-p of the allowed")
    expect(
      try Self.shares([0, 1, 2, 30]),
      [1, e, e * e, 0], "all")
    expect(
      try Self.shares([0, 1, 2, 30]) {
        $0.temperature = 1e-30
        $0.topK = 9
      },
      [0, 0, 1, 0], "nearly greedy")
  }

  /// A text to stop at wins over the end of the format, and that over a limit.
  @Test func whyAnAnswerEnds() async throws {
    let scheduler = try Self.scheduler()
    func reason(_ change: (inout SamplingParameters) -> Void) async throws -> FinishReason? {
      var parameters = SamplingParameters(temperature: 0, seed: 1, maxTokens: 100)
      let format = try Self.format(#"{"const": {"a": 1}}"#)
      parameters.format = format
      change(&parameters)
      var request = GenerationRequest(
        promptTokens: Fixture.prompt(7, seed: 1), parameters: parameters)
      request.constraint = try TokenConstraint(format.grammar, Self.table)
      return try await Answer(scheduler.generate(request)).summary?.finishReason
    }
    #expect(try await reason { $0.stop = ["}"] } == .stopString("}"))
    #expect(try await reason { _ in } == .formatComplete)
    #expect(try await reason { $0.maxTokens = 3 } == .maxTokens)
  }

  /// A call that a model writes because it must comes as a call, not as text.
  @Test func callsComeAsCalls() async throws {
    let scheduler = try Self.scheduler()
    let function = ToolFunction(
      name: "f",
      parameters: try JSONParser.parse(
        Array(
          #"{"type": "object", "properties": {"n": {"type": "integer", "maximum": 9, "minimum": 0}}, "required": ["n"]}"#
            .utf8)), isStrict: true)
    let use = try ToolUse(
      tools: [Tool(function: function, description: nil, requestField: .null)], choice: .required,
      allowsSeveral: false)
    var request = GenerationRequest(
      promptTokens: Fixture.prompt(7, seed: 1),
      parameters: SamplingParameters(temperature: 1, seed: 3, maxTokens: 400))
    request.toolCallStyle = .tagged
    request.constraint = try TokenConstraint(
      use.grammar(.tagged, isTaught: true, text: nil), Self.table)
    var calls: [ToolCall] = []
    var text = ""
    var reason: FinishReason?
    for try await event in try scheduler.generate(request) {
      switch event {
      case .toolCallStart(let id, let name):
        calls.append(ToolCall(id: id, name: name, arguments: ""))
      case .toolCallArguments(let piece):
        calls[try #require(calls.indices.last)].arguments += piece
      case .text(let piece, _): text += piece
      case .finished(let summary): reason = summary.finishReason
      case .started, .reasoning: break
      }
    }
    #expect(reason == .toolCalls && text.isEmpty)
    #expect(calls.count == 1 && calls.first?.name == "f")
    #expect(calls.first?.arguments.wholeMatch(of: /\{"n":\d\}/) != nil, "\(calls)")
  }
}
