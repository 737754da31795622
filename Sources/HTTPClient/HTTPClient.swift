/// Asks other servers, through the system's libcurl. Knows nothing of models.
///
/// All transfers share one thread and its kept connections; bodies come piece by piece, as they are received. TLS is
/// verified, redirects are not followed unless that is asked for: a request may carry a key, which is meant for one
/// host.
package final class HTTPClient: Sendable {
  private let loop: TransferLoop

  package init() throws(HTTPClientError) {
    loop = try TransferLoop()
  }

  deinit { loop.shutDown() }

  /// Sends a request and waits for the head of its response. Cancelling the task ends the transfer.
  package func send(
    _ request: HTTPClientRequest
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    try await send(request, into: nil)
  }

  /// The same, with the body of a successful response written to a file.
  func send(
    _ request: HTTPClientRequest, into file: DownloadFile?
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    let transfer = Transfer(request, into: file)
    let loop = loop
    transfer.onBodyLeft { loop.cancel(transfer) }
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        transfer.expectHead(continuation)
        loop.start(transfer)
      }
    } onCancel: {
      loop.cancel(transfer)
    }
    return try result.get()
  }

  /// Ends all transfers; later ones fail.
  package func shutDown() { loop.shutDown() }
}
