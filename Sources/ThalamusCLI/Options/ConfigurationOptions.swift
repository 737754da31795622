import ArgumentParser
import Foundation
import Thalamus

/// Where a command finds its configuration, and the flags that override it.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    help: "Configuration file. Without it: $THALAMUS_CONFIG, else config/thalamus.yaml if there.")
  var config: String?

  @Option(help: "SQLite file of the decision log; overrides log.database.")
  var database: String?

  @Option(help: "Folder of experts, encoder and router; overrides models.directory.")
  var models: String?

  func load() throws -> Configuration {
    let environment = ProcessInfo.processInfo.environment
    let usual = "config/thalamus.yaml"
    let path =
      config ?? environment["THALAMUS_CONFIG"]
      ?? (FileManager.default.fileExists(atPath: usual) ? usual : nil)
    do {
      var configuration = try Configuration.load(path: path, environment: environment)
      if let database { configuration.log.database = database }
      if let models { configuration.models.directory = models }
      return configuration
    } catch {
      throw CommandFailure("\(error)")
    }
  }
}

/// An error that is printed as it is, without a usage text behind it.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
