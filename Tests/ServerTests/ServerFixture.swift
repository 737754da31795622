import Foundation
import HTTP
import Logging
import Server
import Testing
import Thalamus

/// All routes over the real models, without sockets and without a trained router: requests name
/// an expert, or ask for a strategy that needs no router.
final class ServerFixture: Sendable {
  let service: ThalamusService
  let handler: HTTPHandler
  let routes: APIRoutes
  private let folder: String

  init(adjust: (inout Configuration) -> Void = { _ in }) async throws {
    folder =
      FileManager.default.temporaryDirectory
      .appending(path: "thalamus-server-\(UUID().uuidString)").path
    var configuration = Configuration()
    configuration.models.directory =
      URL(filePath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "models").path
    configuration.models.threads = 2
    configuration.models.kvCacheBytes = 128 << 20
    configuration.router.directory = "there-is-none"
    configuration.log.database = folder + "/decisions.sqlite"
    configuration.generation.defaultTemperature = 0
    adjust(&configuration)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    service = try await ThalamusService.start(configuration, logger: logger)
    routes = APIRoutes(service: service)
    handler = routes.handler
  }

  func end() async {
    await service.shutDown()
    try? FileManager.default.removeItem(atPath: folder)
  }

  func get(_ target: String, headers: HTTPHeaders = HTTPHeaders()) async -> HTTPResponse {
    await handler(HTTPRequest(.get, target, headers: headers))
  }

  func post(
    _ target: String, _ json: String, headers: HTTPHeaders = HTTPHeaders()
  ) async -> HTTPResponse {
    await handler(HTTPRequest(.post, target, headers: headers, body: Array(json.utf8)))
  }
}

extension HTTPResponse {
  /// The `error` of a refused request.
  func refusal() throws -> Refusal {
    let error = try #require(try object(bytes)["error"] as? [String: Any], "\(text)")
    let code = try #require(error["code"] as? String)
    return Refusal(status.code, code, error["param"] as? String)
  }
}
