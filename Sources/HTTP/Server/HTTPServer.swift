import Foundation
import Logging
import Synchronization

/// Serves HTTP/1.1 and HTTP/1.0.
///
/// ```swift
/// let server = HTTPServer(configuration: .init(port: 8080), handler: { _ in .text("ok\n") })
/// try server.start()
/// try await server.run()
/// ```
///
/// Each event loop is a thread with its own connections, and runs the handlers of their requests
/// as Swift tasks: see ``HTTPHandler`` for what they may do there.
package final class HTTPServer: Sendable {
  private struct State {
    var loops: [EventLoop] = []
    var port: Int?
    var isStarted = false
    var undrainedLoops = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
    var isFinished = false
  }

  private let configuration: HTTPServerConfiguration
  private let handler: HTTPHandler
  private let logger: Logger
  private let openConnections = ConnectionCount()
  private let state = Mutex(State())

  package init(
    configuration: HTTPServerConfiguration, handler: @escaping HTTPHandler,
    logger: Logger = Logger(label: "http")
  ) {
    self.configuration = configuration
    self.handler = handler
    self.logger = logger
  }

  /// The port that the server listens at; nil before ``start()``.
  package var port: Int? { state.withLock { $0.port } }

  /// The connections open at this moment.
  package var connectionCount: Int { openConnections.value }

  /// Binds, listens, and begins to serve.
  package func start() throws(HTTPServerError) {
    let isFirst = state.withLock { state in
      defer { state.isStarted = true }
      return !state.isStarted
    }
    guard isFirst else { throw .alreadyStarted }
    do {
      try startLoops()
    } catch {
      state.withLock { $0.isStarted = false }
      throw error
    }
  }

  private func startLoops() throws(HTTPServerError) {
    let listener = try Listener(
      configuration: configuration, openConnections: openConnections, logger: logger)
    var loops: [EventLoop] = []
    do throws(HTTPServerError) {
      for _ in 0..<max(1, configuration.eventLoopCount) {
        loops.append(
          try EventLoop(
            configuration: configuration, handler: handler, logger: logger,
            openConnections: openConnections, onDrained: { [weak self] in self?.loopDrained() }))
      }
    } catch {
      listener.close()
      throw error
    }
    listener.distribute(to: loops)
    state.withLock { state in
      state.loops = loops
      state.undrainedLoops = loops.count
      state.port = listener.port
    }
    for (index, loop) in loops.enumerated() { loop.start(name: "http-\(index)") }
    let first = loops[0]
    first.perform { first.listen(listener) }
  }

  /// Starts the server where ``start()`` was not called, and returns when it has shut down.
  /// Cancelling the calling task shuts it down.
  package func run() async throws {
    if !state.withLock({ $0.isStarted }) { try start() }
    await withTaskCancellationHandler {
      await waitUntilFinished()
    } onCancel: {
      beginShutdown(graceTimeout: configuration.graceTimeout)
    }
  }

  /// Stops accepting, closes idle connections, lets running requests finish (each with
  /// `Connection: close`), and returns as soon as the last one has. What still runs after
  /// `graceTimeout` is cancelled and cut off.
  package func shutdown(graceTimeout: Duration = .seconds(30)) async {
    beginShutdown(graceTimeout: graceTimeout)
    await waitUntilFinished()
  }

  private func beginShutdown(graceTimeout: Duration) {
    let deadline = MonotonicInstant.now().advanced(by: graceTimeout)
    let loops = state.withLock { state in
      if state.loops.isEmpty { finish(&state) }
      return state.loops
    }
    // The first loop accepts: nothing more may come in once the first connection has been ended.
    loops.first?.perform {
      for loop in loops { loop.perform { loop.drain(graceDeadline: deadline) } }
    }
  }

  private func waitUntilFinished() async {
    await withCheckedContinuation { continuation in
      let isFinished = state.withLock { state in
        if !state.isFinished { state.waiters.append(continuation) }
        return state.isFinished
      }
      if isFinished { continuation.resume() }
    }
  }

  private func loopDrained() {
    state.withLock { state in
      state.undrainedLoops -= 1
      if state.undrainedLoops == 0 { finish(&state) }
    }
  }

  private func finish(_ state: inout State) {
    state.isFinished = true
    for waiter in state.waiters { waiter.resume() }
    state.waiters = []
  }
}
