import ArgumentParser
import Thalamus

@main
struct ThalamusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "thalamus",
    abstract: "Sends each prompt to the model that will do best on it, and answers.",
    version: ThalamusService.version,
    subcommands: [
      ServeCommand.self, RouteCommand.self, ParetoCommand.self, ExpertsCommand.self,
      OutcomesCommand.self, RouterCommand.self, KeysCommand.self, BenchCommand.self,
      ScoreCommand.self,
      GenerateCommand.self, EmbedCommand.self, TokenizeCommand.self,
    ])
}
