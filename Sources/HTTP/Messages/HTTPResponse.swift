/// What a handler answers. The connection adds `Date`, `Connection` and the framing
/// (`Content-Length`, `Transfer-Encoding`); those set by a handler are ignored.
package struct HTTPResponse: Sendable {
  /// Where the body's bytes come from.
  package enum Body: Sendable {
    /// All of it, now.
    case bytes([UInt8])
    /// Written piece by piece, by a function that runs in the request's own task after the
    /// handler returned. Sent chunked to HTTP/1.1, and ended by closing to HTTP/1.0. If the
    /// function throws, the connection is cut without a proper end, so that no client takes the
    /// part for the whole. It is not run at all where the client has left before.
    case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
  }

  package var status: HTTPStatus
  package var headers: HTTPHeaders
  package var body: Body

  package init(
    status: HTTPStatus, headers: HTTPHeaders = HTTPHeaders(), body: Body = .bytes([])
  ) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A response of plain text.
  package static func text(_ text: String, status: HTTPStatus = .ok) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: ["Content-Type": "text/plain; charset=utf-8"],
      body: .bytes(Array(text.utf8)))
  }

  /// A response of JSON that is already encoded.
  package static func json(_ bytes: [UInt8], status: HTTPStatus = .ok) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: ["Content-Type": "application/json"], body: .bytes(bytes))
  }

  /// A streamed response.
  package static func stream(
    status: HTTPStatus = .ok, contentType: String,
    _ produce: @escaping @Sendable (HTTPBodyWriter) async throws -> Void
  ) -> HTTPResponse {
    HTTPResponse(status: status, headers: ["Content-Type": contentType], body: .stream(produce))
  }
}

/// Answers requests. It runs on the event loop's own thread until it first waits for something
/// that another thread does, and again whenever that is there: it must not block and must not
/// compute for long, and the same holds for the nonisolated functions and actors that it calls, for
/// they run there too. Long work belongs on another executor
/// (`withTaskExecutorPreference(globalConcurrentExecutor)`) or on threads of its own.
///
/// When the client leaves, the task that the handler runs in is cancelled at once.
package typealias HTTPHandler = @Sendable (HTTPRequest) async -> HTTPResponse
