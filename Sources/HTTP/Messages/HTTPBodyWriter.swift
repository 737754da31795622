/// Why a write of a streamed body failed.
package enum HTTPWriteError: Error, Equatable {
  /// The client has left, or did not read for longer than the write timeout.
  case disconnected
}

/// Takes the bytes of a streamed response body.
package struct HTTPBodyWriter: Sendable {
  private let send: @Sendable ([UInt8]) async throws -> Void

  /// A writer that hands every piece to `send`; for tests, and for the connection.
  package init(_ send: @escaping @Sendable ([UInt8]) async throws -> Void) {
    self.send = send
  }

  /// Sends `bytes`. Returns when few enough bytes wait to be taken by the client; throws
  /// ``HTTPWriteError/disconnected`` when the client has left.
  package func write(_ bytes: [UInt8]) async throws {
    try await send(bytes)
  }

  /// Sends the UTF-8 of `text`.
  package func write(_ text: String) async throws {
    try await send(Array(text.utf8))
  }
}
