import Foundation
import Testing

/// What happens when a server, or a client, goes away.
@Suite struct LifecycleTests {
  /// The whole course is a program of its own: between the request, the look at the log and the signal only
  /// the server's time may pass, and a test among hundreds waits for its turn longer than an answer takes.
  private static let terminateWhileAnswering = """
    url=$1; process=$2; folder=$3
    curl -sN --max-time 120 "$url/route" -d "$4" > "$folder/running" &
    for _ in $(seq 3000); do
      curl -s "$url/decisions?limit=1" | grep -q '"status" *: *"pending"' && pending=yes && break
      sleep 0.02
    done
    [ "$pending" ] || { echo "no decision is running" >&2; exit 1; }
    kill -TERM "$process"
    sleep 0.2
    curl -s --max-time 20 "$url/route" -d '{"prompt": "late", "generate": false}' > "$folder/late"
    echo "late: $?"
    wait
    """

  @Test func terminationFinishesWhatRunsAndRefusesWhatComes() async throws {
    let server = try await RunningServer()
    // Without its end tokens, so that it is still running when somebody looks.
    let request =
      #"{"prompt": "Tell a long story.", "max_tokens": 300, "stream": true, "logit_bias": {"0": -100, "2": -100}, "constraints": {"experts": ["smollm2-135m"]}}"#
    let course = try await Command.run(
      URL(filePath: "/bin/bash"),
      [
        "-c", Self.terminateWhileAnswering, "bash", server.baseURL.absoluteString,
        "\(server.processIdentifier)", server.folder.path, request,
      ])
    #expect(course.status == 0, "\(course.errors) \(server.standardError)")
    func written(_ name: String) -> String {
      (try? String(contentsOf: server.folder.appending(path: name), encoding: .utf8)) ?? ""
    }
    #expect(
      course.output != "late: 0\n", "a connection was taken after SIGTERM: \(written("late"))")
    #expect(course.output.hasPrefix("late: "))
    #expect(written("running").contains("event: end"), "\(written("running").suffix(300))")
    let status = try await server.exitStatus(within: 60)
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

  /// Leaves once the answer has begun.
  private static let leaveWhileAnswering = """
    curl -sN "$1/route" -d "$3" > "$2/answer" &
    for _ in $(seq 3000); do
      grep -q '"text"' "$2/answer" && kill -KILL $! && exit 0
      sleep 0.02
    done
    echo "no answer has begun" >&2
    exit 1
    """

  @Test func clientThatLeavesStopsItsGeneration() async throws {
    let server = try await RunningServer()
    let request =
      #"{"prompt": "Count to ten thousand: 1, 2, 3,", "max_tokens": 4000, "stream": true, "constraints": {"experts": ["gemma3-270m"]}}"#
    let course = try await Command.run(
      URL(filePath: "/bin/bash"),
      [
        "-c", Self.leaveWhileAnswering, "bash", server.baseURL.absoluteString, server.folder.path,
        request,
      ])
    #expect(course.status == 0, "\(course.errors) \(server.standardError)")
    var row = JSON(nil)
    for _ in 0..<1200 {
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

  private func query(_ database: URL, _ sql: String) async throws -> [String] {
    let outcome = try await Command.run(
      URL(filePath: "/usr/bin/sqlite3"), [database.path, sql])
    #expect(outcome.status == 0, "\(outcome.errors)")
    return outcome.output.split(separator: "\n").map(String.init)
  }
}
