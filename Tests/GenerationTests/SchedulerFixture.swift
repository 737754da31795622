import Foundation
import Generation
import ModelFiles
import Testing
import Tokenization
import Transformer

/// Schedulers over the tiny models of TransformerTests, and over a real one.
enum SchedulerFixture {
  /// Shows each token as its number, so that text tells which tokens came.
  struct NumberText: TokenTextDecoder {
    mutating func append(_ token: Int32) -> String { "\(token) " }
    mutating func finish() -> String { "" }
  }

  static let pool: ComputePool? = try? ComputePool(threadCount: 2)

  private static var root: URL {
    URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  static func path(_ name: String) -> String {
    root.appendingPathComponent("Tests/TransformerTests/Fixtures/\(name)").path
  }

  static func decoder(
    _ name: String = "tiny-llama", adjust: (inout DecoderOptions) -> Void = { _ in }
  ) throws -> Decoder {
    var options = DecoderOptions(precision: .float)
    adjust(&options)
    return try Decoder(
      file: GGUFFile(path: path("\(name).gguf")), pool: #require(pool), options: options)
  }

  static func scheduler(
    _ decoder: Decoder, endTokens: Set<Int32> = [], draft: Decoder? = nil,
    adjust: (inout SchedulerOptions) -> Void = { _ in }
  ) -> Scheduler {
    var options = SchedulerOptions()
    adjust(&options)
    return Scheduler(decoder: decoder, endTokens: endTokens, draft: draft, options: options) {
      NumberText()
    }
  }

  /// SmolLM2 as it serves, with its tokenizer.
  static func smolLM() throws -> (decoder: Decoder, tokenizer: any Tokenizer) {
    let path = root.appendingPathComponent(
      "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"
    ).path
    try #require(FileManager.default.fileExists(atPath: path), "make models fetches \(path)")
    let file = try GGUFFile(path: path)
    let tokenizer = try makeTokenizer(from: file)
    var options = DecoderOptions()
    options.contextLength = 1024
    return (try Decoder(file: file, pool: #require(pool), options: options), tokenizer)
  }

  /// A prompt of so many tokens that differs by seed.
  static func prompt(_ count: Int, seed: Int) -> [Int32] {
    (0..<count).map { Int32(($0 * 31 + seed * 17 + $0 * $0 * seed) % 96) }
  }
}

/// A request's events, put together.
struct Answer: Sendable, Equatable {
  var text = ""
  var summary: GenerationSummary?
  var startedCount = 0
  var logprobs: [ChosenLogprob] = []

  init(_ stream: GenerationStream) async throws {
    for try await event in stream {
      switch event {
      case .started: startedCount += 1
      case .text(let piece, let logprobs):
        text += piece
        self.logprobs += logprobs
      case .reasoning, .toolCallStart, .toolCallArguments: break
      case .finished(let summary): self.summary = summary
      }
    }
  }
}

extension Scheduler {
  func answer(
    _ prompt: [Int32], maxTokens: Int? = 12,
    _ change: (inout SamplingParameters) -> Void = { _ in }
  ) async throws -> Answer {
    var parameters = SamplingParameters(maxTokens: maxTokens)
    change(&parameters)
    return try await Answer(
      generate(GenerationRequest(promptTokens: prompt, parameters: parameters)))
  }
}
