/// A request to another server.
package struct HTTPClientRequest: Sendable {
  /// `http` or `https`; nothing else is followed.
  package var url: String
  package var headers: [(name: String, value: String)]
  /// Sent by POST; nil asks by GET.
  package var body: [UInt8]?
  /// Longest time to a connection, name resolution and TLS included.
  package var connectMilliseconds: Int
  /// Longest time in which nothing comes, before the response's head or within its body.
  package var silenceSeconds: Int
  /// Longest time in all.
  package var totalSeconds: Int
  /// Most bytes of a response's body. They wait in memory for a reader who is slower than the server.
  package var maximumBytes: Int
  /// Whether a proxy that the environment names (`https_proxy` and so on) may be asked.
  package var mayUseProxy: Bool

  package init(
    url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
    connectMilliseconds: Int = 5_000, silenceSeconds: Int = 120, totalSeconds: Int = 3_600,
    maximumBytes: Int = 64 << 20, mayUseProxy: Bool = true
  ) {
    self.url = url
    self.headers = headers
    self.body = body
    self.connectMilliseconds = connectMilliseconds
    self.silenceSeconds = silenceSeconds
    self.totalSeconds = totalSeconds
    self.maximumBytes = maximumBytes
    self.mayUseProxy = mayUseProxy
  }
}

/// The head of a response; its body comes as it is received.
package struct HTTPClientResponse: Sendable {
  package let status: Int
  /// Names in lower case; of one that came twice, the last.
  package let headers: [String: String]
  /// Pieces of the body, for one reader. Letting go of it, or cancelling the task that reads it, ends the transfer,
  /// and with it the server's work.
  package let body: AsyncThrowingStream<[UInt8], any Error>
}

extension HTTPClientResponse {
  /// Reads the body for so long at most, or to its end, or until `take` wants no more. Errors end it too: for bodies
  /// of which whatever comes is enough.
  package func readBody(
    forAtMost time: Duration, _ take: @escaping @Sendable ([UInt8]) -> Bool
  ) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          for try await piece in body where !take(piece) { break }
        } catch {
          // What has come is all there is.
        }
      }
      group.addTask { try? await Task.sleep(for: time) }
      await group.next()
      group.cancelAll()
    }
  }
}

/// Why a request got no response, or not all of it.
package enum HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The URL, a header or an option is none that libcurl takes.
  case invalidRequest(String)
  /// Nobody answers there: no such name, nobody listens, or TLS fails.
  case unreachable(String)
  /// A limit on time was reached.
  case timedOut(String)
  /// The connection broke off, or what came is no HTTP.
  case interrupted(String)
  /// The body has more bytes than the request allowed.
  case tooLarge(limit: Int)
  /// A redirect leads where it is not followed to.
  case redirectRefused(String)
  /// The file that a body goes to cannot be written.
  case unwritable(String)
  /// The caller left.
  case cancelled
  /// The client was shut down.
  case shutDown

  package var description: String {
    switch self {
    case .invalidRequest(let problem): "the request cannot be sent: \(problem)"
    case .unreachable(let problem): problem
    case .timedOut(let problem): problem
    case .interrupted(let problem): problem
    case .tooLarge(let limit): "the response has more than \(limit) bytes"
    case .redirectRefused(let problem), .unwritable(let problem): problem
    case .cancelled: "the request was cancelled"
    case .shutDown: "the client is shut down"
    }
  }
}
