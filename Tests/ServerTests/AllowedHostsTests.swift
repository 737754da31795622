import HTTP
import Server
import Testing
import Thalamus

@Suite struct AllowedHostsTests {
  private func isRefused(
    _ host: String?, on address: String = "127.0.0.1", keys: [String] = [], allowed: [String] = []
  ) -> Bool {
    var server = Configuration().server
    server.host = address
    server.apiKeys = keys
    server.allowedHosts = allowed
    var request = HTTPRequest(.get, "/decisions")
    if let host { request.headers.add("Host", host) }
    do throws(APIError) {
      try AllowedHosts(server).check(request)
      return false
    } catch {
      return error.status == .forbidden && error.code == "host_not_allowed"
    }
  }

  @Test(arguments: [
    "localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "127.8.0.1", "[::1]:8080",
    "chat.localhost:3000", nil,
  ])
  func thisMachine(host: String?) { #expect(!isRefused(host)) }

  @Test(arguments: [
    "evil.example.com", "evil.example.com:8080", "127.0.0.1.evil.example.com", "127.evil.com.x",
    "localhost.evil.example.com", "192.168.1.5:8080", "[::2]", "",
  ])
  func others(host: String) {
    #expect(isRefused(host))
    #expect(isRefused(host, on: "localhost"))
    #expect(isRefused(host, on: "::1"))
    // Who serves a network, or asks for keys, is called by names that are not known here.
    #expect(!isRefused(host, on: "0.0.0.0"))
    #expect(!isRefused(host, keys: ["secret"]))
    #expect(!isRefused(host, allowed: ["*"]))
  }

  @Test func namesOfAProxy() {
    #expect(!isRefused("AI.example.com:443", allowed: ["ai.Example.com"]))
    #expect(isRefused("b.example.com", allowed: ["ai.example.com"]))
  }
}
