import ArgumentParser

@main
struct ThalamusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "thalamus",
    abstract: "Sends each prompt to the model that will do best on it, and answers.",
    version: "0.1.0",
    subcommands: [
      ServeCommand.self, RouteCommand.self, ParetoCommand.self, ExpertsCommand.self,
      OutcomesCommand.self, RouterCommand.self, KeysCommand.self, BenchCommand.self,
      ScoreCommand.self,
      GenerateCommand.self, EmbedCommand.self, TokenizeCommand.self,
    ])
}
