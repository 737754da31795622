import Foundation
import HTTP

/// The smallest server on the HTTP room, for measurements and for the tests that need a process
/// of their own: `GET /healthz`, `POST /echo-length` and `GET /slow`, on the port given as first
/// argument (0: any), with as many event loops as the second says. Prints the port.
@main
struct BenchmarkServer {
  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
    var configuration = HTTPServerConfiguration(port: arguments.first ?? 8080)
    if arguments.count > 1 { configuration.eventLoopCount = arguments[1] }
    var router = HTTPRouter()
    router.on(.get, "/healthz") { _ in .text("ok\n") }
    router.on(.post, "/echo-length") { .text("\($0.body.count)\n") }
    router.on(.get, "/slow") { _ in
      try? await Task.sleep(for: .milliseconds(500))
      return .text("done\n")
    }
    let server = HTTPServer(configuration: configuration, handler: router.handler)
    // Before clients can take all file descriptors: libdispatch needs some of its own.
    signal(SIGTERM, SIG_IGN)
    let termination = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
    termination.setEventHandler { Task { await server.shutdown(graceTimeout: .seconds(10)) } }
    await withCheckedContinuation { registered in
      termination.setRegistrationHandler { registered.resume() }
      termination.activate()
    }
    try server.start()
    print(server.port ?? 0)
    fflush(nil)
    try await server.run()
  }
}
