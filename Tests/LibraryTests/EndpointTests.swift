import Foundation
import Library
import Testing

@Suite struct EndpointTests {
  private func problem(_ make: () throws -> Endpoint) -> String? {
    do {
      _ = try make()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func slashesAtTheEndGo() throws {
    #expect(try Endpoint(url: "https://a.example/v1//", model: "m").url == "https://a.example/v1")
  }

  @Test(arguments: [
    ("ftp://a.example/v1", "no URL"), ("a.example/v1", "no URL"), ("http://", "no URL"),
    ("https:///v1", "no URL"), ("", "no URL"), ("https://a.example/v 1", "no URL"),
    ("https://a.example/v1\r\nX: y", "no URL"), ("https://me:secret@a.example/v1", "api_key_env"),
    ("https://a.example/v1?key=1", "without '?'"), ("https://a.example/v1#x", "without '?'"),
    ("https://a.example/v1/chat/completions", "is the base, such as https://a.example/v1;"),
  ])
  func refused(url: String, part: String) {
    let problem = problem { try Endpoint(url: url, model: "m") }
    #expect(problem?.contains(part) == true, "\(problem ?? "taken")")
    #expect(problem?.contains("secret") != true)
  }

  @Test func otherValuesAreChecked() {
    let url = "https://a.example/v1"
    #expect(problem { try Endpoint(url: url, model: "") } != nil)
    #expect(problem { try Endpoint(url: url, model: "m", timeoutSeconds: 0) } != nil)
    #expect(
      problem {
        try Endpoint(url: url, model: "m", bodyFields: [.init(name: "messages", json: nil)])
      } == "request: 'messages' is the server's own to set")
  }

  @Test(arguments: [
    ("http://localhost:11434/v1", true), ("http://127.0.0.1/v1", true),
    ("http://127.8.9.1/v1", true),
    ("http://[::1]:8080/v1", true), ("http://api.localhost/v1", true),
    ("http://192.168.1.5/v1", false), ("http://127.0.0.1.example.com/v1", false),
    ("http://localhost.example.com/v1", false), ("https://api.example.com/v1", false),
    // Names that a resolver might take for an address of this machine are left alone.
    ("http://0/v1", false), ("http://2130706433/v1", false),
  ])
  func loopback(url: String, isLoopback: Bool) throws {
    let endpoint = try Endpoint(url: url, model: "m")
    #expect(endpoint.isLoopback == isLoopback)
    #expect(endpoint.isOpenToReaders == (!isLoopback && url.hasPrefix("http:")))
  }

  @Test func keys() throws {
    let folder = try TemporaryFolder()
    func key(_ source: Endpoint.KeySource?) throws -> String? {
      try Endpoint(url: "https://a.example/v1", model: "m", keySource: source).key()
    }
    #expect(try key(nil) == nil)
    setenv("REMOTE_TEST_KEY_2", " sk-1 \n", 1)
    #expect(try key(.environment("REMOTE_TEST_KEY_2")) == "sk-1")
    unsetenv("REMOTE_TEST_KEY_2")
    #expect(
      problem {
        _ = try key(.environment("REMOTE_TEST_KEY_2"));
        return try Endpoint(url: "http://a", model: "m")
      }
        == "environment variable REMOTE_TEST_KEY_2 holds no key")
    try folder.write("sk-2\n", to: "key")
    #expect(try key(.file(folder.path + "/key")) == "sk-2")
    try folder.write("sk\r\nX-Other: 1", to: "bad")
    for path in ["/bad", "/missing"] {
      #expect(throws: EndpointProblem.self) { try key(.file(folder.path + path)) }
    }
  }
}

@Suite struct EndpointHealthTests {
  /// Rests grow, end by themselves, and are over with a success.
  @Test func restsGrow() {
    let clock = FakeClock()
    let health = EndpointHealth(now: { clock.now })
    #expect(health.obstacle == nil)
    health.failed("no answer")
    #expect(health.obstacle == "no answer; it is asked again in 3 s")
    // Failures of requests that ran at the time don't lengthen it.
    health.failed("no answer")
    clock.advance(by: EndpointHealth.firstRest)
    #expect(health.obstacle == nil)
    health.failed("no answer")
    clock.advance(by: EndpointHealth.firstRest)
    #expect(health.obstacle != nil)
    clock.advance(by: EndpointHealth.firstRest)
    #expect(health.obstacle == nil)
    health.succeeded()
    health.failed("no answer")
    clock.advance(by: EndpointHealth.firstRest)
    #expect(health.obstacle == nil)
    for _ in 0..<100 {
      health.failed("no answer")
      clock.advance(by: EndpointHealth.longestRest)
      #expect(health.obstacle == nil)
    }
    health.failed("busy", retryAfter: .seconds(100_000))
    clock.advance(by: EndpointHealth.longestAskedRest)
    #expect(health.obstacle == nil)
    health.failed("busy", retryAfter: .seconds(7))
    clock.advance(by: .seconds(6))
    #expect(health.obstacle != nil)
    clock.advance(by: .seconds(1))
    #expect(health.obstacle == nil)
    health.succeeded()
    health.failed("wrong key", needsPerson: true)
    clock.advance(by: EndpointHealth.firstLongRest - .seconds(1))
    #expect(health.obstacle != nil)
  }
}
