import HTTP
import Server
import Synchronization
import Testing

@Suite struct ServerSentEventsTests {
  private struct Piece: Encodable { let text: String }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func oneValueIsOneLine() {
    #expect(text(ServerSentEvents.event(Piece(text: "a"))) == "data: {\"text\":\"a\"}\n\n")
    #expect(
      text(ServerSentEvents.event(Piece(text: "a\nb\r\n"), name: "text"))
        == "event: text\ndata: {\"text\":\"a\\nb\\r\\n\"}\n\n")
    #expect(text(ServerSentEvents.done) == "data: [DONE]\n\n")
  }

  @Test func responseIsAStreamThatProxiesLeaveAlone() async throws {
    let response = ServerSentEvents.response { try await $0.write(ServerSentEvents.done) }
    #expect(response.status == .ok)
    #expect(response.headers["Content-Type"] == "text/event-stream")
    #expect(response.headers["Cache-Control"] == "no-cache")
    #expect(response.headers["X-Accel-Buffering"] == "no")
    #expect(try await response.streamed() == "data: [DONE]\n\n")
  }
}

extension HTTPResponse {
  /// All that a streamed body writes.
  func streamed() async throws -> String {
    guard case .stream(let produce) = body else {
      Issue.record("not a stream: \(text)")
      return ""
    }
    let written = Collected()
    try await produce(HTTPBodyWriter { bytes in written.add(bytes) })
    return written.text
  }
}

/// Bytes that come from another task.
private final class Collected: Sendable {
  private let bytes = Mutex<[UInt8]>([])
  var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
  func add(_ more: [UInt8]) { bytes.withLock { $0 += more } }
}
