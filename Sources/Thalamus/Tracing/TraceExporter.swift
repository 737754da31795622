import Foundation
import HTTPClient
import Logging
import Synchronization

/// Sends spans to an OpenTelemetry collector, by OTLP over HTTP, in batches. Nobody waits for it: what the collector
/// doesn't take, or what comes faster than it takes, is dropped and counted.
package final class TraceExporter: Sendable {
  /// Spans that wait at most.
  private static let capacity = 4096
  /// Spans of one request.
  private static let batch = 512

  private struct State {
    var waiting: [TraceSpan] = []
    var sent = 0
    var dropped = 0
    var isInTrouble = false
    var task: Task<Void, Never>?
  }

  private let state = Mutex(State())
  private let endpoint: String
  private let headers: [(name: String, value: String)]
  private let client: HTTPClient
  private let logger: Logger
  private let version: String

  /// - Parameters:
  ///   - endpoint: Where traces are taken, such as `http://localhost:4318/v1/traces`.
  ///   - headers: `name=value` each, for collectors that ask for a key.
  ///   - pause: How long spans are gathered.
  package init(
    endpoint: String, headers: [String] = [], version: String, pause: Duration = .seconds(2),
    logger: Logger
  ) throws {
    self.endpoint = endpoint
    self.version = version
    self.logger = logger
    self.headers = try headers.map { header throws(ConfigurationError) in
      let parts = header.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else {
        throw ConfigurationError(
          source: "traces.headers", message: "each must be name=value")
      }
      return (String(parts[0]), String(parts[1]))
    }
    guard endpoint.hasPrefix("http://") || endpoint.hasPrefix("https://") else {
      throw ConfigurationError(
        source: "traces.endpoint",
        message:
          "'\(endpoint)' must begin with http:// or https://, as http://localhost:4318/v1/traces does"
      )
    }
    client = try HTTPClient()
    let task = Task { [weak self] in
      while true {
        try? await Task.sleep(for: pause)
        guard !Task.isCancelled, let self else { return }
        // A task of its own: what is on its way when the server ends still arrives.
        await Task { await self.sendWaiting() }.value
      }
    }
    state.withLock { $0.task = task }
  }

  /// Spans that were taken by the collector, and those that were lost.
  package var counts: (sent: Int, dropped: Int) { state.withLock { ($0.sent, $0.dropped) } }

  package func add(_ spans: [TraceSpan]) {
    state.withLock { state in
      let room = max(0, Self.capacity - state.waiting.count)
      state.waiting += spans.prefix(room)
      state.dropped += max(0, spans.count - room)
    }
  }

  /// Sends what waits, for as long as that goes well.
  package func sendWaiting() async {
    while true {
      let spans = state.withLock { state in
        let spans = Array(state.waiting.prefix(Self.batch))
        state.waiting.removeFirst(spans.count)
        return spans
      }
      guard !spans.isEmpty else { return }
      let problem = await send(spans)
      let isNews = state.withLock { state in
        if problem == nil { state.sent += spans.count } else { state.dropped += spans.count }
        defer { state.isInTrouble = problem != nil }
        return problem != nil && !state.isInTrouble
      }
      if isNews, let problem { logger.warning("traces are not taken: \(problem)") }
      if problem != nil { return }
    }
  }

  /// Sends what waits and ends.
  package func shutDown() async {
    let task = state.withLock(\.task)
    task?.cancel()
    await task?.value
    await sendWaiting()
    state.withLock { state in
      state.dropped += state.waiting.count
      state.waiting = []
    }
    client.shutDown()
  }

  /// What stood in the way; nil where the collector took them.
  private func send(_ spans: [TraceSpan]) async -> String? {
    let request = HTTPClientRequest(
      url: endpoint, headers: [("Content-Type", "application/json")] + headers,
      body: TraceSpan.otlp(spans, version: version), connectMilliseconds: 2_000, silenceSeconds: 5,
      totalSeconds: 10, maximumBytes: 1 << 20)
    do {
      let response = try await client.send(request)
      await response.readBody(forAtMost: .seconds(5)) { _ in true }
      return (200..<300).contains(response.status)
        ? nil : "\(endpoint) answers \(response.status)"
    } catch {
      return "\(error)"
    }
  }
}
