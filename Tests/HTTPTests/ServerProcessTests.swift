import Foundation
import Testing

/// What needs a process of its own: limits of the process, its memory, its signals.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ServerProcessTests {
  private static let get = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"

  /// The server that is built beside these tests.
  private final class ServerProcess {
    let process = Process()
    let port: Int

    init(shellPrefix: String = "") throws {
      let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      let binary = folder.appendingPathComponent("http-benchmark-server").path
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "\(shellPrefix) exec '\(binary)' 0"]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      var text = ""
      while !text.contains("\n") {
        let data = output.fileHandleForReading.availableData
        guard !data.isEmpty else { break }
        text += String(decoding: data, as: UTF8.self)
      }
      port = try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    deinit {
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Resident memory, from `/proc`.
    var residentKiB: Int {
      let path = "/proc/\(process.processIdentifier)/status"
      guard let status = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      return line.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
    }
  }

  @Test func aBodyOfAGibibyteIsRefusedWithoutMemory() async throws {
    try await onThread {
      let server = try ServerProcess()
      let warm = try SocketClient(port: server.port)
      warm.send(Self.get)
      #expect(warm.readResponse().body == "ok\n")
      let before = server.residentKiB
      let client = try SocketClient(port: server.port)
      client.send("POST /echo-length HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n")
      let piece = [UInt8](repeating: 65, count: 1 << 20)
      // Not read until all is sent or the server has had enough: the worst client.
      for _ in 0..<1024 { guard client.send(piece) else { break } }
      #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
      let chunked = try SocketClient(port: server.port)
      chunked.send("POST /echo-length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
      for _ in 0..<1024 {
        guard chunked.send("100000\r\n"), chunked.send(piece), chunked.send("\r\n") else { break }
      }
      // 8 MiB of the chunked body may be held before it is too large, and doubled on the way.
      #expect(server.residentKiB - before < 40 * 1024)
      #expect(before > 0)
      warm.send(Self.get)
      #expect(warm.readResponse().body == "ok\n")
    }
  }

  @Test func runningOutOfFileDescriptorsIsSurvived() async throws {
    try await onThread {
      let server = try ServerProcess(shellPrefix: "ulimit -n 40;")
      let first = try SocketClient(port: server.port)
      first.send(Self.get)
      #expect(first.readResponse().body == "ok\n")
      // Many more than there are descriptors: the rest waits in the kernel.
      var crowd = try (0..<100).map { _ in try SocketClient(port: server.port) }
      for client in crowd { client.send(Self.get) }
      #expect(crowd[0].readResponse().body == "ok\n")
      first.send(Self.get)
      #expect(first.readResponse().body == "ok\n")
      // As those who are served leave, the others get their turn.
      while !crowd.isEmpty {
        let client = crowd.removeFirst()
        if crowd.count < 99 { #expect(client.readResponse().body == "ok\n") }
        client.close()
      }
      #expect(server.process.isRunning)
    }
  }

  @Test func sigtermFinishesWhatRunsAndExits() async throws {
    try await onThread {
      let server = try ServerProcess()
      let idle = try SocketClient(port: server.port)
      idle.send(Self.get)
      #expect(idle.readResponse().body == "ok\n")
      let running = try SocketClient(port: server.port)
      running.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
      usleep(100_000)
      kill(server.process.processIdentifier, SIGTERM)
      #expect(running.readToEnd()?.hasSuffix("done\n") == true)
      server.process.waitUntilExit()
      #expect(server.process.terminationStatus == 0)
      #expect(server.process.terminationReason == .exit)
    }
  }
}
