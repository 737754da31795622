import Foundation
import Generation
import Grammar
import JSON
import Testing
import Tokenization
import Transformer

/// Answers with thinking before them, of models whose weights are random.
@Suite struct ReasoningTests {
  private typealias Fixture = SchedulerFixture

  /// ASCII's printable characters for the tiny models' 96 tokens, of which two that JSON can do without are marks.
  private struct Letters: Tokenizer {
    static let open: Int32 = 94
    static let close: Int32 = 64
    static let end: Int32 = 95
    var vocabularyCount: Int { 96 }
    var beginningOfText: Int32? { nil }
    var endOfText: Int32? { Self.end }
    var endTokens: Set<Int32> { [Self.end] }
    var addsSpacePrefix: Bool { false }
    func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
      text.utf8.map { Int32($0) - 32 }
    }
    func bytes(of id: Int32) -> [UInt8] {
      switch id {
      case Self.open: Array("<think>".utf8)
      case Self.close: Array("</think>".utf8)
      default: [UInt8(truncatingIfNeeded: id + 32)]
      }
    }
    // The mark that closes is hidden by decoding, as in some vocabularies.
    func isSpecial(_ id: Int32) -> Bool { id == Self.end || id == Self.close }
    func id(ofToken text: String) -> Int32? {
      text == "<think>" ? Self.open : text == "</think>" ? Self.close : nil
    }
  }

  private static let tokenizer = Letters()
  private static let table = TokenTable(tokenizer)

  private struct Found {
    var reasoning = ""
    var text = ""
    var logprobs = 0
    var summary: GenerationSummary?
  }

  private func scheduler(drafts: Int = 0) throws -> Scheduler {
    var options = SchedulerOptions()
    options.draftTokens = drafts
    return Scheduler(
      decoder: try Fixture.decoder(), tokenizer: Self.tokenizer, options: options)
  }

  /// - Parameter schema: What the answer's format is; nil for none.
  private func answer(
    _ scheduler: Scheduler, start: ReasoningReader.Start, budget: Int? = nil, schema: String? = nil,
    _ change: (inout SamplingParameters) -> Void = { _ in }
  ) async throws -> Found {
    var parameters = SamplingParameters(temperature: 0.8, seed: 3, maxTokens: 60)
    change(&parameters)
    var request = GenerationRequest(
      promptTokens: Fixture.prompt(7, seed: 1), parameters: parameters)
    request.reasoning = ReasoningPlan(
      reader: ReasoningReader(.think, start: start),
      marks: [Letters.open: "<think>", Letters.close: "</think>"], opening: Letters.open,
      budgetTokens: budget, closing: [Letters.close])
    if let schema {
      let grammar = try Grammar.json(schema: JSONParser.parse(Array(schema.utf8)))
      request.constraint = try TokenConstraint(grammar, Self.table)
    }
    var found = Found()
    for try await event in try scheduler.generate(request) {
      switch event {
      case .reasoning(let text):
        #expect(found.text.isEmpty && !text.isEmpty)
        found.reasoning += text
      case .text(let text, let logprobs):
        found.text += text
        found.logprobs += logprobs.count
      case .finished(let summary): found.summary = summary
      case .started, .toolCallStart, .toolCallArguments: break
      }
    }
    return found
  }

  /// No mark is chosen but those that are put in.
  private static func withoutMarks(_ parameters: inout SamplingParameters) {
    parameters.logitBias = [Letters.open: -100, Letters.close: -100, Letters.end: -100]
  }

  @Test(arguments: [0, 8]) func aBudgetEndsTheThinking(drafts: Int) async throws {
    let scheduler = try scheduler(drafts: drafts)
    let found = try await answer(scheduler, start: .reasoning, budget: 12) {
      Self.withoutMarks(&$0)
      $0.logprobs = 1
    }
    let summary = try #require(found.summary)
    #expect(found.reasoning.utf8.count <= 12 && !found.reasoning.isEmpty)
    #expect(summary.reasoningTokens == 13, "the mark that closes is one")
    #expect(summary.completionTokens == 60 && summary.finishReason == .maxTokens)
    #expect(found.logprobs == 47, "of the answer's tokens alone")
    #expect(!found.text.contains("think"))
    let none = try await answer(scheduler, start: .reasoning, budget: 0) { Self.withoutMarks(&$0) }
    #expect(none.reasoning.isEmpty && none.summary?.reasoningTokens == 1)
    #expect(!none.text.isEmpty)
  }

  @Test func aLimitWithinTheThinking() async throws {
    let found = try await answer(scheduler(), start: .reasoning) { Self.withoutMarks(&$0) }
    #expect(found.text.isEmpty && !found.reasoning.isEmpty)
    #expect(found.summary?.finishReason == .maxTokens)
    #expect(found.summary?.reasoningTokens == 60)
  }

  @Test func withoutThinkingNothingIsMissing() async throws {
    let scheduler = try scheduler()
    let found = try await answer(scheduler, start: .undecided) { Self.withoutMarks(&$0) }
    #expect(found.reasoning.isEmpty && found.summary?.reasoningTokens == 0)
    let plain = try await scheduler.answer(Fixture.prompt(7, seed: 1), maxTokens: 60) {
      $0.temperature = 0.8
      $0.seed = 3
      Self.withoutMarks(&$0)
    }
    #expect(found.text == plain.text)
  }

  /// A text to stop at counts in the answer only.
  @Test func stopsAreTheAnswers() async throws {
    let scheduler = try scheduler()
    let before = try await answer(scheduler, start: .reasoning, budget: 20) {
      Self.withoutMarks(&$0)
    }
    let stop = try #require(
      before.reasoning.first { !$0.isWhitespace && before.text.contains($0) }, "\(before)")
    let found = try await answer(scheduler, start: .reasoning, budget: 20) {
      Self.withoutMarks(&$0)
      $0.stop = [String(stop)]
    }
    #expect(found.reasoning == before.reasoning)
    #expect(found.summary?.finishReason == .stopString(String(stop)))
    #expect(before.text.hasPrefix(found.text + String(stop)))
  }

  private static let schema =
    #"{"type": "object", "properties": {"n": {"type": "integer", "minimum": 10, "maximum": 99}}, "required": ["n"]}"#

  /// The format is the answer's: thinking is free, and must not end the answer before there is one.
  @Test(arguments: [0, 0.8, 3] as [Float])
  func formatsBindTheAnswerAlone(temperature: Float) async throws {
    let scheduler = try scheduler()
    let found = try await answer(
      scheduler, start: .reasoning, budget: 15, schema: Self.schema
    ) {
      $0.temperature = temperature
      // It would end at once.
      $0.logitBias = [Letters.end: 100, Letters.open: -100, Letters.close: -100]
    }
    #expect(found.text.wholeMatch(of: /\{\s*"n":\s*\d\d\s*\}/) != nil, "\(found)")
    #expect(found.summary?.finishReason == .formatComplete)
    #expect(found.summary?.reasoningTokens == 16 && !found.reasoning.isEmpty)
  }

  /// A model that opens its thinking itself may do so before what a format begins with.
  @Test func aFormatLetsTheModelBeginToThink() async throws {
    let scheduler = try scheduler()
    let thinking = try await answer(
      scheduler, start: .undecided, budget: 9, schema: Self.schema
    ) { $0.logitBias = [Letters.open: 50, Letters.end: -100] }
    #expect(thinking.text.wholeMatch(of: /\{\s*"n":\s*\d\d\s*\}/) != nil, "\(thinking)")
    #expect(thinking.summary?.reasoningTokens == 10)
    let atOnce = try await answer(scheduler, start: .undecided, schema: Self.schema) {
      Self.withoutMarks(&$0)
    }
    #expect(atOnce.text.wholeMatch(of: /\{\s*"n":\s*\d\d\s*\}/) != nil, "\(atOnce)")
    #expect(atOnce.reasoning.isEmpty && atOnce.summary?.reasoningTokens == 0)
  }
}
