import Hummingbird
import Logging

/// The smallest Hummingbird server with `GET /healthz`, on the port given as first argument.
@main
struct HummingbirdServer {
  static func main() async throws {
    let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8081
    let router = Router()
    router.get("healthz") { _, _ in "ok\n" }
    var logger = Logger(label: "hummingbird")
    logger.logLevel = .error
    let application = Application(
      router: router,
      configuration: .init(address: .hostname("127.0.0.1", port: port)),
      logger: logger)
    try await application.runService()
  }
}
