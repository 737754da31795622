import ArgumentParser
import Generation
import Grammar
import JSON
import Library
import Tokenization

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Let one expert answer a prompt, without the router.")

  @OptionGroup var expert: ExpertOptions

  @Option(help: "The prompt; - reads standard input.")
  var prompt: String

  @Option(help: "Tokens to generate at most.")
  var maxTokens = 256

  @Flag(help: "Continue the text as it stands, without the chat template.")
  var raw = false

  @Option(help: "Sampling temperature; 0 is greedy.")
  var temperature: Float = 0.7

  @Option(help: "Seed of the random numbers.")
  var seed: UInt64?

  @Option(help: "File with a JSON schema that the answer keeps to.")
  var jsonSchema: String?

  /// What the answer has to look like; nil without a schema.
  private func format() throws -> AnswerFormat? {
    guard let jsonSchema else { return nil }
    do {
      let schema = try JSONParser.parse(Array(Output.read(jsonSchema).utf8))
      return AnswerFormat(grammar: try Grammar.json(schema: schema), requestField: schema)
    } catch let failure as JSONParser.Failure {
      throw CommandFailure("\(jsonSchema): \(failure.problem) at byte \(failure.offset)")
    } catch let error as JSONSchemaError {
      throw CommandFailure("\(jsonSchema): \(error)")
    }
  }

  func run() async throws {
    let format = try format()
    let text = prompt == "-" ? try Output.read(nil) : prompt
    let model = try await expert.load()
    let input: ExpertInput =
      raw ? .continuation(text) : .messages([ChatMessage(role: "user", content: text)])
    var parameters = SamplingParameters(
      temperature: temperature, seed: seed, maxTokens: maxTokens)
    parameters.format = format
    for try await event in try await model.answer(input, parameters: parameters) {
      if case .text(let piece, _) = event { Output.text(piece, terminator: "") }
    }
    Output.text("")
  }
}
