import Foundation

/// Bounds on what a client can make the server hold.
package struct HTTPLimits: Sendable {
  /// A longer body is refused with 413, from its Content-Length alone where there is one.
  package var maximumBodyBytes = 8 * 1024 * 1024
  /// All header lines of a request together; 431 beyond.
  package var maximumHeaderBytes = 32 * 1024
  /// The number of header lines of a request; 431 beyond.
  package var maximumHeaderCount = 100
  /// The target (path and query) of a request; 414 beyond.
  package var maximumTargetBytes = 16 * 1024
  /// While more than this waits to be taken by a client, a streamed body's writer waits, and no
  /// further pipelined request is read.
  package var outputHighWaterBytes = 64 * 1024

  package init() {}
}

/// How long a client may take.
package struct HTTPTimeouts: Sendable {
  /// From a request's first byte (and from the connection's beginning) to the end of its headers.
  /// More bytes do not extend it. 408.
  package var header: Duration = .seconds(10)
  /// From the end of the headers to the end of the body. More bytes do not extend it. 408.
  package var body: Duration = .seconds(60)
  /// Between two requests of a connection. The connection is closed without a word.
  package var idle: Duration = .seconds(60)
  /// In each such span a client must take ``minimumWriteBytes``, or all that waits for it;
  /// otherwise the connection is cut.
  package var write: Duration = .seconds(30)
  package var minimumWriteBytes = 64 * 1024
  /// How long a connection that was refused is read on after the answer, so that the client sees
  /// the answer rather than a reset.
  package var linger: Duration = .seconds(2)

  package init() {}
}

/// Looks at the head of a request that has a body, before the body is read: the response, of bytes,
/// that refuses it, or nil to go on. It runs on the event loop's thread and must not take long.
package typealias HTTPHeadCheck = @Sendable (HTTPRequest) -> HTTPResponse?

/// Where and how an ``HTTPServer`` serves.
package struct HTTPServerConfiguration: Sendable {
  /// A name or numeric address to listen at.
  package var host: String
  /// 0: any free port; see ``HTTPServer/port``.
  package var port: Int
  package var limits = HTTPLimits()
  package var timeouts = HTTPTimeouts()
  /// How long, at the end, the handlers of requests that were cut off may take to notice.
  package var handlerGrace: Duration = .seconds(5)
  /// Connections beyond this are answered 503 and closed.
  package var maximumConnections = 1024
  /// Connections that the kernel holds until they are accepted.
  package var backlog = 1024
  /// Threads, each with its own connections. Two, where there are two cores: a handler that takes
  /// long then holds up half of the connections only.
  package var eventLoopCount = min(2, ProcessInfo.processInfo.activeProcessorCount)
  /// How long running requests may go on when the task that awaits ``HTTPServer/run()`` is
  /// cancelled.
  package var graceTimeout: Duration = .seconds(30)
  /// Makes the responses that the server gives itself, before a handler sees the request.
  package var errorRenderer: HTTPErrorRenderer = HTTPErrorDescription.jsonRenderer
  /// Spares the server the bodies of requests that it refuses by their heads.
  package var refuseHead: HTTPHeadCheck?

  package init(host: String = "127.0.0.1", port: Int = 8080) {
    self.host = host
    self.port = port
  }
}
