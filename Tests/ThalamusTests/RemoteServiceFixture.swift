import HTTP
import Synchronization
import Thalamus

/// The service with an expert, `far`, behind a server of the test's own. Its answers have 1,000 and 2,000 tokens, by its word,
/// which cost $0.005.
enum RemoteServiceFixture {
  /// What the peer does with its next requests.
  final class Peer: Sendable {
    private struct State {
      var failures: [Int] = []
      var asked = 0
      var traceparents: [String?] = []
    }
    private let state: Mutex<State>
    init(failures: [Int]) { state = Mutex(State(failures: failures)) }
    /// Among the failures: an answer that begins and has no end.
    static let breaksOff = 200
    var asked: Int { state.withLock { $0.asked } }

    /// Of the requests, in order.
    var traceparents: [String?] { state.withLock { $0.traceparents } }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
      let status = state.withLock { state -> Int? in
        state.asked += 1
        state.traceparents.append(request.headers["traceparent"])
        return state.failures.isEmpty ? nil : state.failures.removeFirst()
      }
      if status == Self.breaksOff {
        return .stream(contentType: "text/event-stream") { writer in
          try await writer.write("data: {\"choices\":[{\"delta\":{\"content\":\"from\"}}]}\n\n")
        }
      }
      if let status {
        var response = HTTPResponse.json(
          Array(#"{"error":{"message":"out of order"}}"#.utf8),
          status: HTTPStatus(code: status, reason: "x"))
        response.headers.set("Retry-After", "200")
        return response
      }
      return .stream(contentType: "text/event-stream") { writer in
        try await writer.write(
          "data: {\"choices\":[{\"delta\":{\"content\":\"from afar\"},\"finish_reason\":\"stop\"}],"
            + "\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":2000}}\n\ndata: [DONE]\n\n")
      }
    }
  }

  static func with(
    failures: [Int] = [], card: String = "expected_loss_ratio: 0.5\n",
    adjust: (inout Configuration) -> Void = { _ in },
    _ body: (ThalamusService, Peer) async throws -> Void
  ) async throws -> ServiceFixture {
    let peer = Peer(failures: failures)
    let server = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { peer.answer($0) }
    try server.start()
    var fixture = try await ServiceFixture()
    adjust(&fixture.configuration)
    try fixture.folder.write(
      """
      id: far
      kind: remote
      endpoint: http://127.0.0.1:\(server.port ?? 0)/v1
      runs: leaves_machine
      prompt_price_usd_per_million_tokens: 1
      completion_price_usd_per_million_tokens: 2

      """ + card, to: "models/far/expert.yaml")
    let service = try await fixture.start()
    do {
      try await body(service, peer)
    } catch {
      await server.shutdown(graceTimeout: .zero)
      throw error
    }
    await service.shutDown()
    await server.shutdown(graceTimeout: .zero)
    return fixture
  }
}
