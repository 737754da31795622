import HTTP
import Server
import Synchronization
import Testing

/// A client that leaves midway stops the answer, and the log says so.
@Suite(.serialized) struct LeavingClientTests {
  private static let request =
    #"{"prompt": "Tell a long story.", "strategy": "single:smollm2-135m", "stream": true, "max_tokens": 4000}"#

  private func status(of id: String?, on server: ServerFixture) async throws -> String? {
    let id = try #require(id)
    return try object(await server.get("/decisions/\(id)").bytes)["status"] as? String
  }

  /// The decision's id, after a client that takes so many events and then is gone.
  private func leave(after events: Int, _ server: ServerFixture) async throws -> String? {
    let response = await server.post("/route", Self.request)
    guard case .stream(let produce) = response.body else {
      Issue.record("not a stream: \(response.text)")
      return nil
    }
    let left = Mutex(events)
    await #expect(throws: HTTPWriteError.disconnected) {
      try await produce(
        HTTPBodyWriter { _ in
          let isGone = left.withLock { left in
            left -= 1
            return left < 0
          }
          if isGone { throw HTTPWriteError.disconnected }
        })
    }
    return response.headers["X-Thalamus-Decision"]
  }

  @Test(arguments: [0, 1, 4]) func midway(events: Int) async throws {
    let server = try await ServerFixture()
    let id = try await leave(after: events, server)
    #expect(try await status(of: id, on: server) == "cancelled")
    await server.end()
  }

  @Test func beforeTheStreamIsRead() async throws {
    let server = try await ServerFixture()
    let id = await server.post("/route", Self.request).headers["X-Thalamus-Decision"]
    #expect(try await status(of: id, on: server) == "cancelled")
    await server.end()
  }

  @Test func whileTheWholeAnswerIsAwaited() async throws {
    let server = try await ServerFixture()
    let whole = Self.request.replacing(#""stream": true"#, with: #""stream": false"#)
    let waiting = Task { await server.post("/route", whole) }
    // The decision is logged before the expert begins.
    var rows: [[String: Any]] = []
    while rows.isEmpty {
      _ = await server.get("/decisions/none")
      rows = try object(await server.get("/decisions").bytes)["decisions"] as? [[String: Any]] ?? []
    }
    waiting.cancel()
    #expect(try await waiting.value.refusal() == Refusal(499, "cancelled", nil))
    #expect(try await status(of: rows.first?["id"] as? String, on: server) == "cancelled")
    await server.end()
  }
}
