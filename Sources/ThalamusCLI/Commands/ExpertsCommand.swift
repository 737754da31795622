import ArgumentParser
import Foundation
import Library

struct ExpertsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experts", abstract: "List the experts of the models folder.")

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Print the cards as JSON.")
  var json = false

  func run() async throws {
    let settings = try options.load()
    let manifests = try ExpertLibrary.manifests(in: settings.models.directory)
    if json {
      try Output.json(manifests.map(\.card), pretty: true)
      return
    }
    for manifest in manifests {
      let card = manifest.card
      let isThere = FileManager.default.fileExists(atPath: manifest.modelPath)
      let size = card.totalParameters.map { String(format: "%.0fM", Double($0) / 1e6) } ?? "?"
      Output.text(
        [
          card.id, "\(size) parameters", card.license ?? "unknown licence",
          isThere ? "ready" : "missing \(manifest.modelPath)",
        ].joined(separator: "\t"))
    }
  }
}
