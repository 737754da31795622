import Foundation
import HTTP
import HTTPClient
import Synchronization
import Testing

@Suite(.serialized) struct HTTPClientTests {
  /// A server on a free port, and a client.
  private func with(
    _ handler: @escaping HTTPHandler, _ body: (HTTPClient, String) async throws -> Void
  ) async throws {
    let server = HTTPServer(configuration: HTTPServerConfiguration(port: 0), handler: handler)
    try server.start()
    let client = try HTTPClient()
    do {
      try await body(client, "http://127.0.0.1:\(server.port ?? 0)")
    } catch {
      await server.shutdown(graceTimeout: .zero)
      throw error
    }
    client.shutDown()
    await server.shutdown(graceTimeout: .zero)
  }

  private func text(_ response: HTTPClientResponse) async throws -> String {
    var bytes: [UInt8] = []
    for try await piece in response.body { bytes += piece }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What a request ends with.
  private func failure(
    _ client: HTTPClient, _ request: HTTPClientRequest
  ) async throws -> HTTPClientError? {
    do {
      let response = try await client.send(request)
      _ = try await text(response)
      return nil
    } catch let error as HTTPClientError {
      return error
    }
  }

  @Test func postsAndReads() async throws {
    try await with { request in
      var response = HTTPResponse(status: .created, body: .bytes(request.body))
      response.headers.set("X-Method", request.method.rawValue)
      response.headers.set("X-Given", request.headers["X-Own"] ?? "")
      return response
    } _: { client, url in
      let body = String(repeating: "länger ", count: 100_000)
      let response = try await client.send(
        HTTPClientRequest(
          url: url + "/a", headers: [("X-Own", "value: with colon")], body: Array(body.utf8)))
      #expect(response.status == 201)
      #expect(response.headers["x-method"] == "POST")
      #expect(response.headers["x-given"] == "value: with colon")
      #expect(try await text(response) == body)
      let other = try await client.send(HTTPClientRequest(url: url))
      #expect(other.headers["x-method"] == "GET")
      #expect(try await text(other) == "")
    }
  }

  @Test func manyAtOnceKeepTheirOwnBodies() async throws {
    try await with {
      HTTPResponse(status: .ok, body: .bytes($0.body))
    } _: { client, url in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<300 {
          group.addTask {
            let response = try await client.send(
              HTTPClientRequest(url: url, body: Array("body \(number)".utf8)))
            return try await text(response) == "body \(number)"
          }
        }
        for try await isRight in group { #expect(isRight) }
      }
    }
  }

  /// The first piece is read while the server still waits to be told to send the second.
  @Test func piecesComeAsTheyAreSent() async throws {
    let (more, tell) = AsyncStream.makeStream(of: Void.self)
    try await with { _ in
      .stream(contentType: "text/plain") { writer in
        try await writer.write("one")
        for await _ in more { break }
        try await writer.write("two")
      }
    } _: { client, url in
      let response = try await client.send(HTTPClientRequest(url: url))
      var pieces = ""
      for try await piece in response.body {
        pieces += String(decoding: piece, as: UTF8.self)
        if pieces == "one" { tell.yield() }
      }
      #expect(pieces == "onetwo")
    }
  }

  @Test func whoLeavesEndsTheTransfer() async throws {
    let (left, tell) = AsyncStream.makeStream(of: Void.self)
    try await with { _ in
      .stream(contentType: "text/plain") { writer in
        defer { tell.yield() }
        while true {
          try await writer.write("more ")
          try await Task.sleep(for: .milliseconds(2))
        }
      }
    } _: { client, url in
      do {
        let response = try await client.send(HTTPClientRequest(url: url))
        for try await _ in response.body { break }
      }
      // The server's write fails once the connection is closed.
      for await _ in left { break }
    }
  }

  @Test func cancelledBeforeTheHead() async throws {
    let (reached, tell) = AsyncStream.makeStream(of: Void.self)
    try await with { _ in
      tell.yield()
      try? await Task.sleep(for: .seconds(60))
      return .text("late")
    } _: { client, url in
      let task = Task { try await failure(client, HTTPClientRequest(url: url)) }
      for await _ in reached { break }
      task.cancel()
      let cancelled = try await task.value
      #expect(cancelled == .cancelled)
      // Cancelled before it begins.
      let other = Task {
        while !Task.isCancelled { await Task.yield() }
        return try await failure(client, HTTPClientRequest(url: url))
      }
      other.cancel()
      let early = try await other.value
      #expect(early == .cancelled)
    }
  }

  @Test func failuresHaveTypes() async throws {
    try await with { request in
      switch request.path {
      case "/large": return .text(String(repeating: "x", count: 100_000))
      case "/silent":
        try? await Task.sleep(for: .seconds(30))
        return .text("late")
      case "/redirect":
        var response = HTTPResponse(status: .found, body: .bytes([]))
        response.headers.set("Location", "/large")
        return response
      default:
        return .stream(contentType: "text/plain") { writer in
          try await writer.write("part")
          throw CancellationError()
        }
      }
    } _: { client, url in
      func failed(_ request: HTTPClientRequest) async throws -> HTTPClientError? {
        try await failure(client, request)
      }
      #expect(
        try await failed(HTTPClientRequest(url: url + "/large", maximumBytes: 10_000))
          == .tooLarge(limit: 10_000))
      #expect(
        try await failed(HTTPClientRequest(url: url + "/large", maximumBytes: 100_000)) == nil)
      guard case .interrupted? = try await failed(HTTPClientRequest(url: url + "/broken")) else {
        Issue.record("a broken body is no body")
        return
      }
      guard
        case .timedOut? = try await failed(
          HTTPClientRequest(url: url + "/silent", silenceSeconds: 1))
      else {
        Issue.record("silence has no end")
        return
      }
      let redirect = try await client.send(HTTPClientRequest(url: url + "/redirect"))
      #expect(redirect.status == 302 && redirect.headers["location"] == "/large")

      for wrong in ["file:///etc/passwd", "ftp://127.0.0.1/", "", "http://", "127.0.0.1"] {
        guard case .invalidRequest? = try await failed(HTTPClientRequest(url: wrong)) else {
          Issue.record("'\(wrong)' is asked")
          continue
        }
      }
      for header in [("X", "a\r\nY: b"), ("X\n", "a"), ("X", "a\u{0}")] {
        guard
          case .invalidRequest? = try await failed(HTTPClientRequest(url: url, headers: [header]))
        else {
          Issue.record("\(header) is sent")
          continue
        }
      }
      for nobody in ["http://127.0.0.1:1/", "http://nobody.invalid/"] {
        guard
          case .unreachable? = try await failed(HTTPClientRequest(url: nobody, mayUseProxy: false))
        else {
          Issue.record("\(nobody) is reached")
          continue
        }
      }
    }
  }

  /// A peer that speaks no HTTP, or an endless head.
  @Test(arguments: [
    "SSH-2.0-OpenSSH\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/1.1 200 OK\r\n"
      + String(repeating: "X-A: " + String(repeating: "y", count: 90_000) + "\r\n", count: 5),
    "",
  ])
  func whatIsNoHTTP(answer: String) async throws {
    let peer = try RawPeer(answer: Array(answer.utf8))
    let client = try HTTPClient()
    let problem = try await failure(
      client, HTTPClientRequest(url: "http://127.0.0.1:\(peer.port)/", body: [1, 2, 3]))
    guard case .interrupted? = problem else {
      Issue.record("\(String(describing: problem))")
      return
    }
    client.shutDown()
  }

  @Test func shutDownEndsWhatRuns() async throws {
    let (reached, tell) = AsyncStream.makeStream(of: Void.self)
    try await with { _ in
      tell.yield()
      try? await Task.sleep(for: .seconds(60))
      return .text("late")
    } _: { client, url in
      let task = Task { try await failure(client, HTTPClientRequest(url: url)) }
      for await _ in reached { break }
      client.shutDown()
      let ended = try await task.value
      #expect(ended == .shutDown)
      let later = try await failure(client, HTTPClientRequest(url: url))
      #expect(later == .shutDown)
    }
  }
}
