import Foundation
import HTTP
import Synchronization

/// A server on a free port for the length of `body`.
func withServer(
  _ change: (inout HTTPServerConfiguration) -> Void = { _ in },
  handler: @escaping HTTPHandler = { await testRouter.handle($0) },
  _ body: (HTTPServer, Int) async throws -> Void
) async throws {
  var configuration = HTTPServerConfiguration(port: 0)
  change(&configuration)
  let server = HTTPServer(configuration: configuration, handler: handler)
  try server.start()
  do {
    try await body(server, server.port ?? 0)
  } catch {
    await server.shutdown(graceTimeout: .zero)
    throw error
  }
  await server.shutdown(graceTimeout: .zero)
}

private let testRouter: HTTPRouter = {
  var router = HTTPRouter()
  router.on(.get, "/healthz") { _ in .text("ok") }
  router.on(.post, "/echo") { HTTPResponse(status: .ok, body: .bytes($0.body)) }
  router.on(.get, "/address") { .text($0.remoteAddress) }
  router.on(.get, "/sleep") { request in
    try? await Task.sleep(for: .milliseconds(Int(request.queryValue("ms") ?? "") ?? 100))
    return .text(request.queryValue("ms") ?? "")
  }
  router.on(.get, "/stream") { _ in
    .stream(contentType: "text/plain") { writer in
      for piece in ["one ", "two ", "three"] {
        try await writer.write(piece)
        try await Task.sleep(for: .milliseconds(5))
      }
    }
  }
  router.on(.get, "/broken") { _ in
    .stream(contentType: "text/plain") { writer in
      try await writer.write("part")
      throw CancellationError()
    }
  }
  router.on(.get, "/large") { _ in .text(String(repeating: "x", count: 3_000_000)) }
  return router
}()

/// Something that happens at most once, and can be awaited.
final class Signal: Sendable {
  private let state = Mutex<(isSet: Bool, waiter: CheckedContinuation<Void, Never>?)>((false, nil))

  var isSet: Bool { state.withLock { $0.isSet } }

  func set() {
    state.withLock { state in
      state.isSet = true
      state.waiter?.resume()
      state.waiter = nil
    }
  }

  func wait() async {
    await withCheckedContinuation { continuation in
      state.withLock { state in
        if state.isSet { continuation.resume() } else { state.waiter = continuation }
      }
    }
  }
}
