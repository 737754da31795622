import ArgumentParser
import Foundation
import Generation

struct ScoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score", abstract: "How well an expert predicts a text, token by token.")

  @OptionGroup var expert: ExpertOptions

  @Option(help: "The text; - is standard input.")
  var file: String

  @Flag(help: "Print one JSON object.")
  var json = false

  @Option(help: "Also write all logits there: float32, little-endian, (tokens, vocabulary).")
  var logits: String?

  struct Report: Encodable {
    let expert: String
    let tokens: [Int32]
    let logprobs: [Float?]
    let top: [Int32?]
    let perplexity: Double
    let bits_per_byte: Double
  }

  func run() async throws {
    let text = try Output.read(file)
    let model = try await expert.load()
    let tokens = model.tokenizer.encode(text, addSpecial: true, parseSpecial: false)
    let scores = try await model.score(tokens)
    if let logits { try LogitsFile.write(tokens: tokens, of: model, to: logits) }
    let report = Report(
      expert: model.card.id, tokens: tokens, logprobs: scores.logprobs, top: scores.top,
      perplexity: scores.perplexity,
      bits_per_byte: scores.lossBitsPerByte(byteCount: max(1, text.utf8.count)))
    if json {
      try Output.json(report)
    } else {
      Output.text(
        "\(tokens.count) tokens, perplexity \(report.perplexity), \(report.bits_per_byte) bits a byte"
      )
    }
  }
}
