import ArgumentParser
import Foundation
import Generation
import Kernels
import Library
import Thalamus

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure this machine's speed.",
    subcommands: [BenchDecoderCommand.self, BenchEncoderCommand.self])
}

struct BenchDecoderCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decoder", abstract: "Tokens a second of reading a prompt and of answering.")

  @OptionGroup var expert: ExpertOptions

  @Option(help: "Tokens of each prompt.")
  var promptTokens = 512

  @Option(help: "Tokens of each answer.")
  var generatedTokens = 128

  @Option(help: "Requests at the same time.")
  var clients = 1

  @Option(
    help: "Experts on one base that the clients use in turn, separated by commas, --expert's first."
  )
  var inTurn: String?

  @Option(
    help:
      "Tokens guessed ahead at most: answers to random prompts soon repeat themselves, so that guesses flatter."
  )
  var draftTokens = 0

  @Option(help: "Counted repetitions; one more warms up.")
  var repetitions = 5

  @Flag(help: "Print one JSON object.")
  var json = false

  struct Report: Encodable {
    let expert: String
    let prompt_tokens: Int
    let generated_tokens: Int
    let clients: Int
    let repetitions: Int
    let threads: Int
    let kv_cache_type: String
    /// What a token of a sequence takes in the cache.
    let kv_cache_bytes_per_token: Int
    /// Medians over the repetitions, of all clients together.
    let prefill_tokens_per_second: Double
    let decode_tokens_per_second: Double
    /// Prompts and answers, from the first submission to the last token.
    let total_seconds: Double
  }

  func validate() throws {
    guard promptTokens >= 1, generatedTokens >= 2, clients >= 1, repetitions >= 1 else {
      throw ValidationError(
        "--prompt-tokens, --clients and --repetitions must be at least 1, --generated-tokens 2")
    }
    let limit = SchedulerOptions.draftTokenLimit
    guard (0...limit).contains(draftTokens) else {
      throw ValidationError("--draft-tokens must be 0 to \(limit)")
    }
  }

  func run() async throws {
    let others = inTurn.map(Names.list) ?? []
    let models = try await expert.load(
      [expert.expert] + others, runningLimit: clients, draftTokens: draftTokens)
    let model = models[0]
    guard models.allSatisfy({ $0.decoder === model.decoder }) else {
      throw CommandFailure("the experts of --in-turn are not on the base of \(expert.expert)")
    }
    var prefill: [Double] = []
    var decode: [Double] = []
    var total: [Double] = []
    for repetition in 0...repetitions {
      let start = ContinuousClock.now
      let summaries = try await withThrowingTaskGroup(of: GenerationSummary.self) { group in
        for client in 0..<clients {
          let model = models[client % models.count]
          let request = request(for: model, seed: UInt64(repetition * clients + client))
          group.addTask {
            for try await event in try model.generate(request) {
              if case .finished(let summary) = event { return summary }
            }
            throw GenerationError.shutDown
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      guard repetition > 0 else { continue }
      total.append(start.duration(to: .now).milliseconds / 1000)
      // Of several clients the prompts are read one after the other, each while others decode;
      // the slowest one's wait is the time all prompts took together.
      let prefillMilliseconds = summaries.map(\.timings.firstTokenMilliseconds).max() ?? 0
      let decodeMilliseconds = summaries.map(\.timings.decodeMilliseconds).max() ?? 0
      prefill.append(Double(promptTokens * clients) / prefillMilliseconds * 1000)
      let tokens = summaries.reduce(0) { $0 + $1.completionTokens - 1 }
      decode.append(Double(tokens) / decodeMilliseconds * 1000)
    }
    let report = Report(
      expert: model.card.id, prompt_tokens: promptTokens, generated_tokens: generatedTokens,
      clients: clients, repetitions: repetitions, threads: model.threadCount,
      kv_cache_type: model.keyValueType?.rawValue ?? "",
      kv_cache_bytes_per_token: model.decoder.bytesPerBlock() / KVLayout.positions,
      prefill_tokens_per_second: prefill.median, decode_tokens_per_second: decode.median,
      total_seconds: total.median)
    if json {
      try Output.json(report)
    } else {
      Output.text(
        String(
          format: "%@: prefill %.1f tokens/s, decode %.1f tokens/s (medians of %d)",
          report.expert, report.prefill_tokens_per_second, report.decode_tokens_per_second,
          repetitions))
    }
  }

  /// A prompt of random tokens, so that nothing of it is known from the one before.
  private func request(for model: LocalExpert, seed: UInt64) -> GenerationRequest {
    var state = seed &+ 0x9e37_79b9_7f4a_7c15
    let vocabulary = UInt64(model.tokenizer.vocabularyCount)
    let tokens = (0..<promptTokens).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int32((state >> 33) % vocabulary)
    }
    var parameters = SamplingParameters(maxTokens: generatedTokens)
    parameters.ignoreEndToken = true
    return GenerationRequest(promptTokens: tokens, parameters: parameters)
  }
}

struct BenchEncoderCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encoder", abstract: "Milliseconds to embed one text.")

  @Option(help: "Tokens of the text, the two around it included.")
  var tokens = 64

  @Option(help: "Counted repetitions; ten more warm up.")
  var repetitions = 200

  @Option(help: "Compute threads; 0 is one a core, as models.threads says.")
  var threads = 0

  @Option(help: "fast: what serves. generic: float32.")
  var kernels = KernelChoice.fast

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var configuration: ConfigurationOptions

  struct Report: Encodable {
    let encoder: String
    let tokens: Int
    let repetitions: Int
    let median_milliseconds: Double
  }

  func validate() throws {
    guard tokens >= 3, repetitions >= 1 else {
      throw ValidationError("--tokens must be at least 3 and --repetitions 1")
    }
  }

  func run() async throws {
    let settings = try configuration.load()
    var compute = ComputeOptions(settings)
    if threads > 0 { compute.threads = threads }
    let encoder = try await SentenceEncoder.load(
      folder: settings.models.directory + "/" + settings.models.encoder,
      pool: try LocalExpertLoader(compute).computePool, precision: kernels.precision)
    var times: [Double] = []
    for repetition in 0..<repetitions + 10 {
      let milliseconds = try encoder.measure(tokenCount: tokens)
      if repetition >= 10 { times.append(milliseconds) }
    }
    let report = Report(
      encoder: encoder.id, tokens: tokens, repetitions: repetitions,
      median_milliseconds: times.median)
    if json {
      try Output.json(report)
    } else {
      Output.text(String(format: "%@: %.3f ms", report.encoder, report.median_milliseconds))
    }
  }
}

extension [Double] {
  var median: Double {
    let sorted = sorted()
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
