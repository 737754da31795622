import Foundation
import HTTP
import Logging
import Thalamus

/// The server from start to end: service, HTTP, signals.
package enum ServerApplication {
  /// Serves until SIGTERM or SIGINT, then lets what runs finish. At SIGHUP the experts' cards are read again.
  package static func run(_ configuration: Configuration) async throws {
    let level = configuration.log.level
    let logger = Self.logger(level: level)
    let service = try await ThalamusService.start(configuration, logger: logger)
    await service.markInterruptedDecisions()
    let routes = APIRoutes(service: service)
    var http = httpConfiguration(configuration.server)
    http.refuseHead = routes.refuseHead
    http.errorRenderer = APIRoutes.errorRenderer
    let server = HTTPServer(configuration: http, handler: routes.handler, logger: logger)
    let grace = Duration.seconds(configuration.server.shutdownGraceSeconds)
    // Before clients can come: a crowd of them may take all file descriptors, and libdispatch traps where it
    // finds none for its own.
    let end = { @Sendable in
      logger.info("shutting down: finishing running requests")
      await server.shutdown(graceTimeout: grace)
    }
    let signals = TerminationSignals(onSignal: end)
    let reloading = ReloadSignal(onSignal: { await service.reload() }, onHangup: end)
    try server.start()
    // People copy this line, and the tests wait for it.
    logger.info("listening on http://\(configuration.server.host):\(server.port ?? 0)")
    try await server.run()
    reloading.cancel()
    await service.shutDown()
    signals.cancel()
    logger.info("ended")
  }

  private static func logger(level: Configuration.Log.Level) -> Logger {
    var logger = Logger(label: "thalamus") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel =
      switch level {
      case .debug: .debug
      case .info: .info
      case .warning: .warning
      case .error: .error
      }
    return logger
  }

  private static func httpConfiguration(_ server: Configuration.Server) -> HTTPServerConfiguration {
    var http = HTTPServerConfiguration(host: server.host, port: server.port)
    http.limits.maximumBodyBytes = server.maxBodyBytes
    http.maximumConnections = server.maxConnections
    http.timeouts.header = .seconds(server.headerTimeoutSeconds)
    http.timeouts.body = .seconds(server.bodyTimeoutSeconds)
    http.timeouts.idle = .seconds(server.idleTimeoutSeconds)
    http.timeouts.write = .seconds(server.writeTimeoutSeconds)
    return http
  }
}
