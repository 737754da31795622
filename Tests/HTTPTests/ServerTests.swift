import Foundation
import HTTP
import Testing

/// The room through a socket: what a client sees.
@Suite(.timeLimit(.minutes(1))) struct ServerTests {
  private static let get = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"

  @Test(arguments: [1, 2]) func keepsConnectionsAlive(loops: Int) async throws {
    try await withServer {
      $0.eventLoopCount = loops
    } _: { _, port in
      try await onThread {
        for _ in 0..<4 {
          let client = try SocketClient(port: port)
          for _ in 0..<5 {
            client.send(Self.get)
            let (head, body) = client.readResponse()
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(head.contains("\r\nDate: ") && !head.contains("Connection"))
            #expect(body == "ok")
          }
        }
        let client = try SocketClient(port: port)
        client.send("GET /address HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(client.readToEnd()?.hasSuffix("\r\n\r\n127.0.0.1") == true)
      }
    }
  }

  /// A response in two writes must not wait for the acknowledgement of the first.
  @Test func acceptedSocketsSendAtOnce() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        client.send(Self.get)
        #expect(client.readResponse().body == "ok")
        let accepted = (0..<Int32(4096)).filter {
          Self.localPort(of: $0) == port && Self.isConnected($0)
        }
        #expect(accepted.count == 1)
        for descriptor in accepted {
          var value: Int32 = 0
          var size = socklen_t(MemoryLayout<Int32>.size)
          getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &value, &size)
          #expect(value != 0)
        }
      }
    }
  }

  private static func localPort(of descriptor: Int32) -> Int? {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    guard result == 0, Int32(address.sin_family) == AF_INET else { return nil }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  private static func isConnected(_ descriptor: Int32) -> Bool {
    var address = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &size) }
    } == 0
  }

  @Test func answersPipelinedRequestsInOrder() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        let times = [60, 1, 30, 2, 0]
        client.send(
          times.map { "GET /sleep?ms=\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined()
            + String(repeating: Self.get, count: 300)
            + "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nend")
        for time in times { #expect(client.readResponse().body == "\(time)") }
        for _ in 0..<300 { #expect(client.readResponse().body == "ok") }
        #expect(client.readToEnd()?.hasSuffix("end") == true)
      }
    }
  }

  @Test func speaksHTTP10() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        client.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(client.readResponse().head.contains("Connection: keep-alive\r\n"))
        client.send("GET /healthz HTTP/1.0\r\n\r\n")
        #expect(client.readToEnd()?.contains("Connection: close\r\n") == true)
      }
    }
  }

  @Test func headHasNoBodyAndDoesNotDisturbWhatFollows() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        client.send("HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n" + Self.get)
        let (head, _) = client.readResponse(hasBody: false)
        #expect(head.contains("Content-Length: 2\r\n"))
        #expect(client.readResponse().body == "ok")
      }
    }
  }

  @Test func readsBodiesHoweverTheyAreSent() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        let long = String(repeating: "0123456789", count: 200_000)
        client.send(
          "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(long.utf8.count)\r\n\r\n\(long)")
        #expect(client.readResponse().body == long)
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send("3;x=y\r\nabc\r\n")
        client.send("2\r")
        client.send("\nde\r\n0\r\nTrailer: t\r\n\r\n")
        #expect(client.readResponse().body == "abcde")
        // A body that the handler has no use for is not taken for the next request.
        let inner = "GET /inner HTTP/1.1\r\nHost: h\r\n\r\n"
        client.send(
          "GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: \(inner.utf8.count)\r\n\r\n\(inner)"
            + Self.get)
        #expect(client.readResponse().body == "ok")
        #expect(client.readResponse().body == "ok")
        // Nor one that no handler sees.
        client.send(
          "POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: \(inner.utf8.count)\r\n\r\n\(inner)"
            + Self.get)
        #expect(client.readResponse().head.hasPrefix("HTTP/1.1 404"))
        #expect(client.readResponse().body == "ok")
      }
    }
  }

  @Test func asksForABodyOnlyIfItWillReadIt() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        let head = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
        client.send("\(head)Content-Length: 4\r\n\r\n")
        #expect(client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("body")
        #expect(client.readResponse().body == "body")
        client.send("\(head)Content-Length: 999999999\r\n\r\n")
        #expect(client.readToEnd()?.hasPrefix("HTTP/1.1 413 ") == true)
        let other = try SocketClient(port: port)
        other.send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: x\r\nContent-Length: 4\r\n\r\n")
        #expect(other.readToEnd()?.hasPrefix("HTTP/1.1 417 ") == true)
      }
    }
  }

  /// What must be refused is answered and the connection closed; nothing after it is read.
  @Test(arguments: ParserTests.refused) func refuses(request: String, status: String) async throws {
    try await withServer {
      $0.timeouts.linger = .milliseconds(50)
    } _: { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        client.send(request + Self.get)
        let text = client.readToEnd()
        #expect(text?.hasPrefix("HTTP/1.1 \(status) ") == true)
        #expect(text?.contains("\r\nConnection: close\r\n") == true)
        #expect(text?.contains(#"{"error":{"message":""#) == true)
        #expect(text?.components(separatedBy: "\r\nDate: ").count == 2)
      }
    }
  }

  @Test func answersWhatNoHandlerCan() async throws {
    try await withServer {
      $0.limits.maximumTargetBytes = 100
      $0.limits.maximumHeaderBytes = 1000
    } _: { _, port in
      try await onThread {
        func status(_ request: String) throws -> String {
          let client = try SocketClient(port: port)
          client.send(request)
          return String(client.readResponse().head.dropFirst(9).prefix(3))
        }
        let long = String(repeating: "a", count: 2000)
        #expect(try status("GET /none HTTP/1.1\r\nHost: h\r\n\r\n") == "404")
        #expect(try status("BREW /healthz HTTP/1.1\r\nHost: h\r\n\r\n") == "405")
        #expect(try status("GET /\(long) HTTP/1.1\r\nHost: h\r\n\r\n") == "414")
        #expect(try status("GET / HTTP/1.1\r\nHost: h\r\nA: \(long)\r\n\r\n") == "431")
        #expect(try status("GET / HTTP/3.0\r\nHost: h\r\n\r\n") == "505")
        let client = try SocketClient(port: port)
        client.send("POST /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(client.readResponse().head.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"))
      }
    }
  }

  @Test func streams() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
        let text = client.read(until: "0\r\n\r\n")
        #expect(text.contains("\r\nTransfer-Encoding: chunked\r\n"))
        #expect(text.hasSuffix("\r\n\r\n4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"))
        client.send(Self.get)
        #expect(client.readResponse().body == "ok")
        client.send("GET /broken HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(client.readToEnd()?.hasSuffix("4\r\npart\r\n") == true)
        let old = try SocketClient(port: port)
        old.send("GET /stream HTTP/1.0\r\n\r\n")
        #expect(old.readToEnd()?.hasSuffix("\r\n\r\none two three") == true)
      }
    }
  }

  @Test func largeResponsesArriveWhole() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port, receiveBufferBytes: 4096)
        for _ in 0..<2 {
          client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
          #expect(client.readResponse().body.utf8.count == 3_000_000)
        }
      }
    }
  }

  @Test func aHalfClosedClientStillGetsItsAnswer() async throws {
    try await withServer { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        client.send(Self.get + Self.get)
        client.finishSending()
        #expect(client.readToEnd()?.components(separatedBy: "\r\n\r\nok").count == 3)
      }
    }
  }

  @Test func writersFromOtherThreadsAreServed() async throws {
    try await withServer(handler: { _ in
      .stream(contentType: "text/plain") { writer in
        try await Task.detached {
          for index in 0..<100 { try await writer.write("\(index),") }
        }.value
      }
    }) { _, port in
      try await onThread {
        let client = try SocketClient(port: port)
        client.send("GET / HTTP/1.0\r\n\r\n")
        let expected = (0..<100).map { "\($0)," }.joined()
        #expect(client.readToEnd()?.hasSuffix("\r\n\r\n" + expected) == true)
      }
    }
  }

  @Test func startingTwiceOrAtATakenPortIsAnError() async throws {
    try await withServer { server, port in
      #expect(throws: HTTPServerError.alreadyStarted) { try server.start() }
      let other = HTTPServer(
        configuration: HTTPServerConfiguration(port: port), handler: { _ in .text("") })
      #expect(throws: HTTPServerError.self) { try other.start() }
      let invalid = HTTPServer(
        configuration: HTTPServerConfiguration(port: 70_000), handler: { _ in .text("") })
      #expect(throws: HTTPServerError.invalidPort(70_000)) { try invalid.start() }
      let unknown = HTTPServer(
        configuration: HTTPServerConfiguration(host: "no host", port: 0),
        handler: { _ in .text("") })
      #expect(throws: HTTPServerError.self) { try unknown.start() }
    }
  }
}
