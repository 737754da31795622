import ArgumentParser
import Server

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Start the server.")

  @OptionGroup var configuration: ConfigurationOptions

  @Option(help: "Address to listen on; overrides server.host.")
  var host: String?

  @Option(help: "Port to listen on; overrides server.port.")
  var port: Int?

  func run() async throws {
    var settings = try configuration.load()
    if let host { settings.server.host = host }
    if let port {
      guard (0...65_535).contains(port) else { throw CommandFailure("--port \(port): 0 to 65535") }
      settings.server.port = port
    }
    do {
      try await ServerApplication.run(settings)
    } catch {
      throw CommandFailure("\(error)")
    }
  }
}
