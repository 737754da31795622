import ArgumentParser
import Foundation
import Library

struct ExpertsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experts", abstract: "List, inspect, add and remove the experts of the library.",
    subcommands: [
      ExpertsListCommand.self, ExpertsInspectCommand.self, ExpertsAddCommand.self,
      ExpertsRemoveCommand.self,
    ],
    defaultSubcommand: ExpertsListCommand.self)
}

struct ExpertsListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "One line an expert.")

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Print the cards as JSON.")
  var json = false

  func run() async throws {
    let settings = try options.load()
    let cards = try LibraryCards(directory: settings.models.directory)
    if json {
      Output.note(cards.problems)
      try Output.json(cards.manifests.map(\.card), pretty: true)
      return
    }
    let library = ExpertLibrary(
      manifests: cards.manifests, problems: cards.problems
    ) { manifest throws(LibraryError) in
      throw .unloadable(expert: manifest.card.id, problem: "only listed")
    }
    for manifest in cards.manifests {
      let card = manifest.card
      let size = card.totalParameters.map { String(format: "%.0fM", Double($0) / 1e6) } ?? "?"
      let kind =
        manifest.addition.map { "\($0.kind.rawValue) on \($0.base)" }
        ?? manifest.endpoint.map { "\($0.model) at \($0.url)" } ?? "model"
      Output.text(
        [
          card.id, kind, "\(size) parameters", card.license ?? "unknown licence",
          library.obstacle(to: manifest) ?? "ready",
        ].joined(separator: "\t"))
    }
    for (id, problem) in library.unusable.sorted(by: { $0.key < $1.key }) {
      Output.text([id, "no usable card", problem].joined(separator: "\t"))
    }
  }
}

struct ExpertsRemoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract:
      "Take an expert out of the models folder, weights included. A running server keeps it until SIGHUP."
  )

  @Argument(help: "The expert's id.")
  var id: String

  @OptionGroup var options: ConfigurationOptions

  func run() async throws {
    let settings = try options.load()
    try ExpertInstaller(directory: settings.models.directory).remove(id)
    Output.text("\(id) is removed; routers that know it choose among the others")
  }
}
