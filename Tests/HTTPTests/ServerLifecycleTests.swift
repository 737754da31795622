import Foundation
import HTTP
import Synchronization
import Testing

/// Clients that leave, drip, stall or come in crowds; and the server's own end.
@Suite(.timeLimit(.minutes(1))) struct ServerLifecycleTests {
  private static let get = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"

  enum Leaving: CaseIterable {
    case close
    case reset
    case finishSending
  }

  /// A handler that waits without writing is cancelled as soon as its client is gone.
  @Test(arguments: Leaving.allCases, [1, 2])
  func aClientThatLeavesCancelsItsHandler(how: Leaving, loops: Int) async throws {
    let began = Signal()
    let cancelled = Signal()
    try await withServer {
      $0.eventLoopCount = loops
    } handler: { _ in
      began.set()
      do { try await Task.sleep(for: .seconds(50)) } catch { cancelled.set() }
      return .text("late")
    } _: { _, port in
      let client = try SocketClient(port: port)
      client.send(Self.get)
      await began.wait()
      switch how {
      case .close: client.close()
      case .reset: client.reset()
      case .finishSending: client.finishSending()
      }
      await cancelled.wait()
    }
  }

  @Test func aClientThatLeavesAStreamFailsItsWriter() async throws {
    let began = Signal()
    let failed = Signal()
    try await withServer(handler: { _ in
      .stream(contentType: "text/plain") { writer in
        do {
          while true {
            try await writer.write([UInt8](repeating: 1, count: 1000))
            began.set()
          }
        } catch HTTPWriteError.disconnected {
          failed.set()
        }
      }
    }) { _, port in
      let client = try SocketClient(port: port)
      client.send(Self.get)
      await began.wait()
      client.close()
      await failed.wait()
    }
  }

  /// The writer of a stream that nobody reads is held back, and the client cut off in the end.
  @Test func aClientThatDoesNotReadIsHeldBackAndCut() async throws {
    let written = Mutex(0)
    let failed = Signal()
    try await withServer {
      $0.timeouts.write = .milliseconds(300)
    } handler: { _ in
      .stream(contentType: "text/plain") { writer in
        do {
          while true {
            try await writer.write([UInt8](repeating: 1, count: 10_000))
            written.withLock { $0 += 10_000 }
          }
        } catch {
          failed.set()
        }
      }
    } _: { _, port in
      let client = try SocketClient(port: port, receiveBufferBytes: 4096)
      client.send(Self.get)
      await failed.wait()
      #expect(written.withLock { $0 } < 20_000_000)
      client.close()
    }
  }

  @Test func drippingClientsAreClosedAndOthersServed() async throws {
    try await withServer {
      $0.timeouts.header = .milliseconds(1500)
    } _: { server, port in
      try await onThread {
        let dripping = try (0..<200).map { _ in try SocketClient(port: port, timeoutSeconds: 20) }
        let healthy = try SocketClient(port: port)
        let start = ContinuousClock.now
        for round in 0..<4 {
          for client in dripping { client.send(String(Array(Self.get)[round])) }
          healthy.send(Self.get)
          #expect(healthy.readResponse().body == "ok")
          let newcomer = try SocketClient(port: port)
          newcomer.send(Self.get)
          #expect(newcomer.readResponse().body == "ok")
          Thread.sleep(until: Date(timeIntervalSinceNow: 0.3))
        }
        // They have dripped on for most of the time by now, and it was not extended.
        for client in dripping {
          #expect(client.readToEnd()?.hasPrefix("HTTP/1.1 408 ") == true)
        }
        #expect(ContinuousClock.now - start < .seconds(30))
      }
    }
  }

  @Test func bodiesAndIdleConnectionsHaveDeadlines() async throws {
    try await withServer {
      $0.timeouts.body = .milliseconds(200)
      $0.timeouts.idle = .milliseconds(200)
      $0.timeouts.header = .milliseconds(400)
    } _: { _, port in
      try await onThread {
        let slow = try SocketClient(port: port)
        slow.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        #expect(slow.readToEnd()?.hasPrefix("HTTP/1.1 408 ") == true)
        let idle = try SocketClient(port: port)
        idle.send(Self.get)
        #expect(idle.readResponse().body == "ok")
        #expect(idle.readToEnd() == "")
        let silent = try SocketClient(port: port)
        #expect(silent.readToEnd() == "")
      }
    }
  }

  @Test func connectionsBeyondTheCapAreRefused() async throws {
    try await withServer {
      $0.maximumConnections = 3
    } _: { server, port in
      try await onThread {
        var held = try (0..<3).map { _ in try SocketClient(port: port) }
        for client in held {
          client.send(Self.get)
          #expect(client.readResponse().body == "ok")
        }
        // More than are refused at one time: the rest waits for its turn.
        let refused = try (0..<50).map { _ in try SocketClient(port: port) }
        for client in refused {
          #expect(client.readToEnd()?.hasPrefix("HTTP/1.1 503 ") == true)
          client.close()
        }
        held.removeLast().close()
        var body = ""
        for _ in 0..<200 where body.isEmpty {
          let client = try SocketClient(port: port)
          client.send(Self.get)
          let (head, text) = client.readResponse()
          if head.hasPrefix("HTTP/1.1 200") { body = text } else { usleep(10_000) }
        }
        #expect(body == "ok")
      }
    }
  }

  @Test func shutdownEndsIdleConnectionsAndWaitsForRunningRequests() async throws {
    let began = Signal()
    let goOn = Signal()
    try await withServer(handler: { request in
      if request.rawPath == "/slow" {
        began.set()
        await goOn.wait()
      }
      return .text("done")
    }) { server, port in
      // Some of every loop's: each learns of the end by itself.
      let idle = try (0..<8).map { _ in try SocketClient(port: port) }
      // At once: one that says nothing for long is closed.
      for client in idle { client.send(Self.get) }
      for client in idle {
        let first = try await onThread { client.readResponse().body }
        #expect(first == "done")
      }
      let running = try SocketClient(port: port)
      running.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
      await began.wait()
      async let end: Void = server.shutdown(graceTimeout: .seconds(50))
      for client in idle {
        let text = try await onThread { client.readToEnd() }
        #expect(text == "")
      }
      #expect(throws: POSIXError.self) { try SocketClient(port: port) }
      goOn.set()
      let text = try await onThread { running.readToEnd() }
      #expect(text?.hasSuffix("done") == true)
      #expect(text?.contains("\r\nConnection: close\r\n") == true)
      await end
      #expect(server.connectionCount == 0)
    }
  }

  @Test func shutdownCutsWhatOutlastsTheGrace() async throws {
    let began = Signal()
    let cancelled = Signal()
    try await withServer(handler: { _ in
      began.set()
      do { try await Task.sleep(for: .seconds(50)) } catch { cancelled.set() }
      return .text("late")
    }) { server, port in
      let client = try SocketClient(port: port)
      client.send(Self.get)
      await began.wait()
      await server.shutdown(graceTimeout: .milliseconds(100))
      await cancelled.wait()
      let rest = try await onThread { client.readToEnd() }
      #expect(rest == "")
    }
  }

  @Test func shutdownWaitsForHandlersThatWereCutOff() async throws {
    let began = Signal()
    let isWritten = Mutex(false)
    // Other tests may keep this process's threads for a while.
    try await withServer(
      { $0.handlerGrace = .seconds(120) },
      handler: { _ in
        began.set()
        do {
          try await Task.sleep(for: .seconds(50))
        } catch {
          // What came of the request is written down, which takes its time.
          await Task.detached { try? await Task.sleep(for: .milliseconds(300)) }.value
          isWritten.withLock { $0 = true }
        }
        return .text("late")
      }
    ) { server, port in
      let client = try SocketClient(port: port)
      client.send(Self.get)
      await began.wait()
      await server.shutdown(graceTimeout: .milliseconds(50))
      #expect(isWritten.withLock { $0 })
    }
  }

  @Test func cancellingRunShutsDown() async throws {
    let server = HTTPServer(
      configuration: HTTPServerConfiguration(port: 0), handler: { _ in .text("ok") })
    try server.start()
    let port = server.port ?? 0
    let task = Task { try await server.run() }
    let body = try await onThread {
      let client = try SocketClient(port: port)
      client.send(Self.get)
      return client.readResponse().body
    }
    #expect(body == "ok")
    task.cancel()
    try await task.value
    #expect(throws: POSIXError.self) { try SocketClient(port: port) }
  }
}
