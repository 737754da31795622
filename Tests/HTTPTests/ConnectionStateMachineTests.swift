import HTTP
import Testing

/// A connection without a socket, and a clock that stands still until it is told to go.
private struct Peer {
  var machine: ConnectionStateMachine
  var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
  let date = Array("Date: today\r\n".utf8)

  init(
    _ change: (inout HTTPLimits, inout HTTPTimeouts) -> Void = { _, _ in },
    refusing refuseHead: HTTPHeadCheck? = nil,
    renderError: @escaping HTTPErrorRenderer = HTTPErrorDescription.jsonRenderer
  ) {
    var limits = HTTPLimits()
    var timeouts = HTTPTimeouts()
    change(&limits, &timeouts)
    machine = ConnectionStateMachine(
      limits: limits, timeouts: timeouts, renderError: renderError,
      refuseHead: refuseHead, now: now)
  }

  mutating func send(_ text: String) -> [String] {
    Array(text.utf8).withUnsafeBytes { machine.receive($0) }
    return actions()
  }

  mutating func actions() -> [String] {
    var names: [String] = []
    while true {
      switch machine.nextAction(now: now, date: date) {
      case .none: return names
      case .dispatch(let request): names.append("dispatch \(request.rawPath)")
      case .cancelHandler: names.append("cancel")
      case .shutdownWrite: names.append("shutdown")
      case .close(let reset):
        return names + [reset ? "reset" : "close"]
      }
    }
  }

  mutating func respond(_ response: HTTPResponse = .text("ok")) -> [String] {
    _ = machine.respond(response, now: now, date: date)
    return actions()
  }

  mutating func write(_ bytes: [UInt8]) -> Bool { machine.writeBody(bytes) }

  /// What the peer would have received, all of it.
  mutating func taken() -> String {
    var text = ""
    while !machine.output.isEmpty {
      let bytes = machine.output.withFirst { Array($0) }
      text += String(decoding: bytes, as: UTF8.self)
      machine.flushed(bytes.count, now: now)
    }
    return text
  }

  /// Lets time pass in steps, with deadlines kept; stops at the first that leads to an action.
  mutating func wait(_ duration: Duration) -> [String] {
    let end = now.advanced(by: duration)
    while let deadline = machine.deadline, deadline <= end {
      now = max(now, deadline)
      machine.deadlineReached(now: now, date: date)
      let names = actions()
      if !names.isEmpty || !machine.output.isEmpty { return names }
    }
    now = end
    return []
  }
}

@Suite struct ConnectionStateMachineTests {
  private static let keyed: HTTPHeadCheck = { request in
    request.headers["key"] == "k" ? nil : .text("no", status: .unauthorized)
  }

  @Test(arguments: ["POST", "HEAD"]) func aBodyIsNotAwaitedFromWhoIsRefused(method: String) {
    var peer = Peer(refusing: Self.keyed)
    let actions = peer.send(
      "\(method) /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n\r\n")
    #expect(actions.isEmpty)
    let text = peer.taken()
    #expect(text.hasPrefix("HTTP/1.1 401 ") && text.contains("Connection: close"))
    #expect(text.hasSuffix("no") == (method == "POST"))
    #expect(peer.actions() == ["shutdown"])
    #expect(peer.send(String(repeating: "x", count: 5000)).isEmpty, "what still comes is dropped")
    #expect(peer.wait(.seconds(9)) == ["close"])
  }

  @Test func whoIsNotRefusedGoesOn() {
    var peer = Peer(refusing: Self.keyed)
    let head = "POST /a HTTP/1.1\r\nHost: h\r\nkey: k\r\nContent-Length: 2\r\n"
    #expect(peer.send(head + "Expect: 100-continue\r\n\r\n").isEmpty)
    #expect(peer.taken() == "HTTP/1.1 100 Continue\r\n\r\n")
    #expect(peer.send("hi") == ["dispatch /a"])
    #expect(peer.respond().isEmpty)
    // The handler looks at requests without a body.
    #expect(peer.send(head + "\r\nhi" + get) == ["dispatch /a"])
    #expect(peer.respond() == ["dispatch /a"])
  }

  private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

  @Test func answersAndKeepsTheConnection() {
    var peer = Peer()
    #expect(peer.send(get) == ["dispatch /a"])
    #expect(peer.respond() == [])
    #expect(
      peer.taken()
        == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: today\r\n"
        + "Content-Length: 2\r\n\r\nok")
    #expect(peer.machine.state == .reading)
    #expect(peer.send(get) == ["dispatch /a"])
  }

  @Test func handlesPipelinedRequestsOneByOne() {
    var peer = Peer()
    #expect(peer.send(get + get + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n") == ["dispatch /a"])
    #expect(peer.respond() == ["dispatch /a"])
    #expect(peer.respond() == ["dispatch /b"])
    #expect(peer.respond() == [])
    #expect(peer.taken().components(separatedBy: "HTTP/1.1 200").count == 4)
  }

  @Test func closesWhereAskedTo() {
    var peer = Peer()
    #expect(peer.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") == ["dispatch /"])
    #expect(peer.respond() == [])
    #expect(peer.taken().contains("Connection: close\r\n"))
    #expect(peer.actions() == ["close"])
  }

  @Test func speaksHTTP10() {
    var peer = Peer()
    #expect(peer.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") == ["dispatch /"])
    #expect(peer.respond() == [])
    #expect(peer.taken().contains("Connection: keep-alive\r\n"))
    #expect(peer.send("GET / HTTP/1.0\r\n\r\n") == ["dispatch /"])
    _ = peer.machine.respond(.stream(contentType: "a/b") { _ in }, now: peer.now, date: [])
    #expect(peer.write(Array("piece".utf8)) == true)
    peer.machine.endBody()
    let text = peer.taken()
    #expect(text.hasSuffix("Connection: close\r\n\r\npiece"))
    #expect(!text.contains("chunked"))
    #expect(peer.actions() == ["close"])
  }

  @Test func streamsInChunks() {
    var peer = Peer()
    _ = peer.send(get)
    _ = peer.machine.respond(.stream(contentType: "a/b") { _ in }, now: peer.now, date: [])
    #expect(peer.write(Array("seventeen bytes..".utf8)) == true)
    #expect(peer.write([]) == true)
    peer.machine.endBody()
    #expect(
      peer.taken().hasSuffix(
        "Transfer-Encoding: chunked\r\n\r\n11\r\nseventeen bytes..\r\n0\r\n\r\n"))
    #expect(peer.machine.state == .reading)
    #expect(peer.write([1]) == false)
  }

  @Test func leavesOutTheEndOfABrokenStream() {
    var peer = Peer()
    _ = peer.send(get)
    _ = peer.machine.respond(.stream(contentType: "a/b") { _ in }, now: peer.now, date: [])
    _ = peer.machine.writeBody(Array("part".utf8))
    peer.machine.abortBody()
    #expect(peer.taken().hasSuffix("4\r\npart\r\n"))
    #expect(peer.actions() == ["close"])
  }

  @Test func sendsNoBodyWhereNoneMayBe() {
    var peer = Peer()
    _ = peer.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    _ = peer.respond(.text("body"))
    let head = peer.taken()
    #expect(head.contains("Content-Length: 4\r\n") && head.hasSuffix("\r\n\r\n"))
    _ = peer.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    let framing = peer.machine.respond(
      .stream(contentType: "a/b") { _ in }, now: peer.now, date: [])
    #expect(framing == nil)
    #expect(peer.taken().hasSuffix("\r\n\r\n"))
    _ = peer.send(get)
    _ = peer.respond(HTTPResponse(status: .noContent, body: .bytes([1, 2])))
    let none = peer.taken()
    #expect(!none.contains("Content-Length") && none.hasSuffix("\r\n\r\n"))
    #expect(peer.machine.state == .reading)
  }

  @Test func ignoresFramingAndLineEndsFromHandlers() {
    var peer = Peer()
    _ = peer.send(get)
    var response = HTTPResponse.text("ok")
    response.headers.add("content-length", "99")
    response.headers.add("Transfer-Encoding", "chunked")
    response.headers.add("X-Echo", "a\r\nSet-Cookie: b")
    response.headers.add("Bad Name", "c")
    _ = peer.respond(response)
    let text = peer.taken()
    #expect(text.contains("X-Echo: a  Set-Cookie: b\r\n"))
    #expect(text.contains("Content-Length: 2\r\n"))
    #expect(!text.contains("99") && !text.contains("chunked") && !text.contains("Bad Name"))
  }

  @Test func cancelsTheHandlerWhenTheClientLeaves() {
    var peer = Peer()
    _ = peer.send(get)
    peer.machine.inputEnded()
    #expect(peer.actions() == ["cancel"])
    // The answer still goes out: only one direction may be closed.
    #expect(peer.respond() == [])
    #expect(peer.taken().hasPrefix("HTTP/1.1 200"))
    #expect(peer.actions() == ["close"])

    var lost = Peer()
    _ = lost.send(get)
    lost.machine.failed()
    #expect(lost.actions() == ["cancel", "close"])
    #expect(lost.respond() == ["close"])
    #expect(lost.machine.output.isEmpty)
  }

  /// Whoever words an error knows what it was for, where that much was read.
  @Test(arguments: [
    ("POST /a/b?c HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n", "/a/b"),
    ("POST /a HTTP/1.1\r\nHost: h\r\nbroken\r\n\r\n", "/a"), ("broken\r\n", "none"),
    ("GET / HTTP/1.1\r\nHost: h\r\n\r\nbroken\r\n", "none"),
  ])
  func errorsAreWordedByTheirRequest(text: String, path: String) {
    var peer = Peer(renderError: { error, request in
      .text(request?.rawPath ?? "none", status: error.status)
    })
    if peer.send(text) == ["dispatch /"] {
      _ = peer.taken()
      _ = peer.respond(.text(""))
    }
    #expect(peer.taken().hasSuffix("\r\n\r\n" + path))
  }

  @Test func refusesAndLingers() {
    var peer = Peer()
    #expect(peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n") == [])
    let text = peer.taken()
    #expect(text.hasPrefix("HTTP/1.1 413 "))
    #expect(text.contains("Connection: close\r\n"))
    #expect(text.contains(#"{"error":{"message":"#))
    #expect(peer.actions() == ["shutdown"])
    #expect(peer.machine.wantsInput)
    #expect(peer.send("more of the body") == [])
    #expect(peer.wait(.milliseconds(1900)) == [])
    #expect(peer.wait(.milliseconds(200)) == ["close"])
  }

  @Test func endsTheLingeringWhenThePeerDoes() {
    var peer = Peer()
    _ = peer.send("\n")
    _ = peer.taken()
    #expect(peer.actions() == ["shutdown"])
    peer.machine.inputEnded()
    #expect(peer.actions() == ["close"])
  }

  @Test func headerDeadlineIsNotExtendedByDrippingBytes() {
    var peer = Peer { $1.header = .seconds(10) }
    for byte in "GET /abcd" {
      #expect(peer.send(String(byte)) == [])
      #expect(peer.wait(.seconds(1)) == [])
      #expect(peer.machine.output.isEmpty)
    }
    #expect(peer.send("e") == [])
    #expect(peer.wait(.milliseconds(1100)) == [])
    #expect(peer.taken().hasPrefix("HTTP/1.1 408 "))
  }

  @Test func headerDeadlineCountsFromALaterRequestsFirstByte() {
    var peer = Peer { $1.header = .seconds(10) }
    _ = peer.send(get)
    _ = peer.respond()
    _ = peer.taken()
    #expect(peer.wait(.seconds(30)) == [])
    #expect(peer.send("GET") == [])
    #expect(peer.wait(.seconds(9)) == [])
    #expect(peer.machine.output.isEmpty)
    #expect(peer.wait(.seconds(2)) == [])
    #expect(peer.taken().hasPrefix("HTTP/1.1 408 "))
  }

  @Test func silentAndIdleConnectionsEndWithoutAWord() {
    var silent = Peer { $1.header = .seconds(10) }
    #expect(silent.wait(.seconds(11)) == ["close"])
    var idle = Peer { $1.idle = .seconds(60) }
    _ = idle.send(get)
    _ = idle.respond()
    _ = idle.taken()
    #expect(idle.wait(.seconds(59)) == [])
    #expect(idle.wait(.seconds(2)) == ["close"])
  }

  @Test func bodyDeadlineIsNotExtendedByDrippingBytes() {
    var peer = Peer { $1.body = .seconds(20) }
    _ = peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
    for _ in 0..<19 {
      _ = peer.send("x")
      #expect(peer.wait(.seconds(1)) == [])
    }
    #expect(peer.machine.output.isEmpty)
    #expect(peer.wait(.seconds(2)) == [])
    #expect(peer.taken().hasPrefix("HTTP/1.1 408 "))
  }

  @Test func aRunningHandlerHasNoDeadline() {
    var peer = Peer()
    _ = peer.send(get)
    #expect(peer.machine.deadline == nil)
  }

  @Test func slowReadersAreCut() {
    var peer = Peer {
      $1.write = .seconds(30)
      $1.minimumWriteBytes = 1000
    }
    _ = peer.send(get)
    _ = peer.respond(.text(String(repeating: "a", count: 100_000)))
    peer.machine.flushed(500, now: peer.now)
    // Enough in each span keeps it going.
    for _ in 0..<5 {
      #expect(peer.wait(.seconds(20)) == [])
      peer.machine.flushed(1000, now: peer.now)
    }
    // A byte a second does not.
    for _ in 0..<29 {
      #expect(peer.wait(.seconds(1)) == [])
      peer.machine.flushed(1, now: peer.now)
    }
    #expect(peer.wait(.seconds(2)) == ["reset"])
  }

  @Test func holdsBackRequestsFromAClientThatDoesNotRead() {
    var peer = Peer { limits, _ in limits.outputHighWaterBytes = 1000 }
    #expect(peer.send(get + get) == ["dispatch /a"])
    #expect(peer.respond(.text(String(repeating: "a", count: 2000))) == [])
    #expect(!peer.machine.wantsInput)
    _ = peer.taken()
    #expect(peer.actions() == ["dispatch /a"])
  }

  @Test func drainsIdleAtOnceAndRunningAtTheirEnd() {
    var idle = Peer()
    idle.machine.drain(now: idle.now, date: [])
    #expect(idle.actions() == ["close"])

    var running = Peer()
    _ = running.send(get + get)
    running.machine.drain(now: running.now, date: [])
    #expect(running.actions() == [])
    _ = running.respond()
    let text = running.taken()
    #expect(text.contains("Connection: close\r\n"))
    #expect(text.components(separatedBy: "HTTP/1.1 ").count == 2)

    var partial = Peer()
    _ = partial.send("GET / HT")
    partial.machine.drain(now: partial.now, date: [])
    #expect(partial.taken().hasPrefix("HTTP/1.1 503 "))
  }

  @Test func survivesRandomEvents() {
    var random = SplitMix(seed: 11)
    let texts = [
      get, "GET", " / HTTP/1.1\r\n", "\r\n", "Host: h\r\n\r\n", "\n", "5\r\nhello\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab", "c",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n",
    ]
    for _ in 0..<10_000 {
      var peer = Peer()
      for _ in 0..<20 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4: _ = peer.send(texts.randomElement(using: &random) ?? "")
        case 4: _ = peer.respond()
        case 5:
          _ = peer.machine.respond(.stream(contentType: "a") { _ in }, now: peer.now, date: [])
          _ = peer.machine.writeBody([1, 2, 3])
        case 6: peer.machine.endBody()
        case 7: peer.machine.flushed(Int.random(in: 0...300, using: &random), now: peer.now)
        case 8: _ = peer.wait(.seconds(Int.random(in: 0...40, using: &random)))
        default:
          switch Int.random(in: 0..<6, using: &random) {
          case 0: peer.machine.inputEnded()
          case 1: peer.machine.failed()
          case 2: peer.machine.drain(now: peer.now, date: [])
          default: peer.machine.abortBody()
          }
        }
        _ = peer.actions()
      }
      if peer.machine.state == .closed { #expect(peer.machine.deadline == nil) }
    }
  }
}
