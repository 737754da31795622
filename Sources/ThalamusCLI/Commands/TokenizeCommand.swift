import ArgumentParser
import Library
import Thalamus
import Tokenization

struct TokenizeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Print the token ids of a text, as an expert counts them.")

  @Option(help: "Id of the expert, or of the encoder.")
  var expert: String

  @Option(help: "The text; without it, standard input.")
  var file: String?

  @Flag(help: "Each line is a text of its own: prints a line of ids for each.")
  var lines = false

  @Flag(help: "Leave out the tokens that the model wants around a text.")
  var noSpecial = false

  @OptionGroup var configuration: ConfigurationOptions

  func run() async throws {
    let settings = try configuration.load()
    let tokenizer = try TokenizerLoader.tokenizer(
      named: expert, modelsDirectory: settings.models.directory)
    let text = try Output.read(file)
    for text in lines ? Output.lines(of: text) : [text] {
      let ids = tokenizer.encode(text, addSpecial: !noSpecial, parseSpecial: false)
      Output.text(ids.map(String.init).joined(separator: " "))
    }
  }
}
