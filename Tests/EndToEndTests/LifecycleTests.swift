import Foundation
import Testing

/// What happens when a server, or a client, goes away.
@Suite struct LifecycleTests {
  private static let curl = URL(filePath: "/usr/bin/curl")

  @Test func terminationFinishesWhatRunsAndRefusesWhatComes() async throws {
    let server = try await RunningServer()
    let url = server.baseURL.appending(path: "route").absoluteString
    async let running = Command.run(
      Self.curl,
      [
        "-sN", url, "-d",
        // Without its end tokens, so that it is still running when somebody looks.
        #"{"prompt": "Tell a long story.", "max_tokens": 300, "stream": true, "logit_bias": {"0": -100, "2": -100}, "constraints": {"experts": ["smollm2-135m"]}}"#,
      ])
    try await waitForRunningDecision(server)
    server.send(signal: SIGTERM)
    try await Task.sleep(for: .milliseconds(200))
    let late = try await Command.run(Self.curl, ["-s", url, "-d", #"{"prompt": "late"}"#])
    #expect(late.status != 0, "a new connection was taken after SIGTERM: \(late.output)")

    let outcome = try await running
    #expect(outcome.output.contains("event: end"), "\(outcome.output.suffix(300))")
    let status = try await server.exitStatus(within: 30)
    #expect(status == 0, "\(server.standardError)")
    let rows = try await query(server.database, "select status from decisions")
    #expect(rows == ["completed"])
  }

  @Test func killLosesAtMostTheLastBatch() async throws {
    let server = try await RunningServer()
    for index in 0..<20 {
      _ = try await server.post("/route", #"{"prompt": "number \#(index)", "generate": false}"#)
    }
    try await Task.sleep(for: .milliseconds(1200))
    server.send(signal: SIGKILL)
    _ = try await server.exitStatus(within: 10)
    #expect(try await query(server.database, "pragma integrity_check") == ["ok"])
    #expect(try await query(server.database, "select count(*) from decisions") == ["20"])
    // The next server opens the same file.
    let next = try await RunningServer(database: server.database)
    let list = try await next.get("/decisions?limit=5")
    #expect(try list.json["decisions"].array.count == 5)
  }

  @Test func clientThatLeavesStopsItsGeneration() async throws {
    let server = try await RunningServer()
    let url = server.baseURL.appending(path: "route").absoluteString
    _ = try await server.post(
      "/route",
      #"{"prompt": "warm up", "max_tokens": 1, "constraints": {"experts": ["gemma3-270m"]}}"#)
    _ = try await Command.run(
      Self.curl,
      [
        "-s", "--max-time", "0.5", url, "-d",
        #"{"prompt": "Count to ten thousand: 1, 2, 3,", "max_tokens": 4000, "constraints": {"experts": ["gemma3-270m"]}}"#,
      ])
    var row = JSON(nil)
    for _ in 0..<100 {
      row = try await server.get("/decisions?limit=1").json["decisions"][0]
      if row["status"].string == "cancelled" { break }
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(row["status"].string == "cancelled")
    #expect((row["completion_tokens"].int ?? .max) < 4000)
  }

  @Test func promptsAreKeptAsConfigured() async throws {
    for (policy, expected) in [("hash", nil), ("omit", nil), ("store", "a secret")]
      as [(String, String?)]
    {
      let server = try await RunningServer(environment: ["THALAMUS_LOG_PROMPTS": policy])
      let reply = try await server.post("/route", #"{"prompt": "a secret", "generate": false}"#)
      let row = try await server.logged(try #require(try reply.json["id"].string))
      #expect(row["prompt"].string == expected)
      #expect((row["prompt_sha256"].string != nil) == (policy != "omit"))
      server.send(signal: SIGTERM)
      _ = try await server.exitStatus(within: 10)
      if policy != "store" {
        for suffix in ["", "-wal"] {
          let bytes = FileManager.default.contents(atPath: server.database.path + suffix) ?? Data()
          #expect(bytes.range(of: Data("a secret".utf8)) == nil)
        }
      }
    }
  }

  @Test func keysAreAskedFor() async throws {
    let server = try await RunningServer(environment: ["THALAMUS_SERVER_API_KEYS": "one,two"])
    #expect(try await server.get("/healthz").status == 200)
    #expect(try await server.get("/experts").status == 401)
    #expect(
      try await server.get("/experts", headers: ["Authorization": "Bearer three"]).status == 401)
    #expect(
      try await server.get("/experts", headers: ["Authorization": "Bearer two"]).status == 200)
  }

  @Test func badConfigurationEndsAtOnceWithOneLine() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).yaml")
    try Data("server:\n  prot: 80\n".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let outcome = try await Command.thalamus("serve", "--config", file.path)
    #expect(outcome.status != 0)
    #expect(outcome.errors.contains("unknown key 'server.prot'; did you mean 'server.port'?"))
  }

  @Test func takenPortEndsAtOnceWithOneLine() async throws {
    let server = try await SharedServer.get()
    let port = try #require(server.baseURL.port)
    let outcome = try await Command.thalamus(
      "serve", "--port", "\(port)", "--database", "")
    #expect(outcome.status != 0)
    #expect(outcome.errors.contains("\(port)"))
  }

  private func waitForRunningDecision(_ server: RunningServer) async throws {
    for _ in 0..<200 {
      let list = try await server.get("/decisions?limit=1")
      if try list.json["decisions"][0]["status"].string == "pending" { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record("no decision is running: \(server.standardError)")
  }

  private func query(_ database: URL, _ sql: String) async throws -> [String] {
    let outcome = try await Command.run(
      URL(filePath: "/usr/bin/sqlite3"), [database.path, sql])
    #expect(outcome.status == 0, "\(outcome.errors)")
    return outcome.output.split(separator: "\n").map(String.init)
  }
}
