import Foundation
import HTTP
import Routing
import Server
import Testing
import Thalamus

/// Keys with names, at the routes.
@Suite(.serialized) struct KeysTests {
  /// A server that knows the keys, whose texts are their names.
  private func with(
    _ keys: [APIKey], operators: [String] = [],
    _ body: (ServerFixture) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "thalamus-keys-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var configuration = Configuration()
    configuration.server.keysDirectory = folder
    let files = try #require(KeyFolder(configuration))
    for key in keys { try files.add(key) }
    let server = try await ServerFixture {
      $0.server.keysDirectory = folder
      $0.server.apiKeys = operators
    }
    try await body(server)
    await server.end()
  }

  private func key(
    _ name: String, admin: Bool = false, budget: Budget? = nil, requestsPerMinute: Int? = nil,
    _ constraints: Constraints = Constraints()
  ) -> APIKey {
    APIKey(
      name: name, sha256: SHA256.hex(of: name), isAdmin: admin, constraints: constraints,
      budget: budget, requestsPerMinute: requestsPerMinute)
  }

  private func bearer(_ name: String) -> HTTPHeaders { ["Authorization": "Bearer \(name)"] }

  @Test func whoMayCome() async throws {
    try await with([key("alice")], operators: ["operator"]) { server async throws in
      #expect(try await server.get("/experts").refusal() == Refusal(401, "missing_api_key", nil))
      #expect(
        try await server.get("/experts", headers: bearer("bob")).refusal()
          == Refusal(401, "invalid_api_key", nil))
      #expect(await server.get("/experts", headers: bearer("alice")).status == .ok)
      #expect(await server.get("/experts", headers: ["x-api-key": "alice"]).status == .ok)
      #expect(await server.get("/experts", headers: bearer("operator")).status == .ok)
      #expect(await server.get("/healthz").status == .ok)
      // Before a body is sent.
      let head = HTTPRequest(.post, "/route", headers: bearer("bob"))
      #expect(server.routes.refuseHead?(head)?.status == .unauthorized)
      let own = HTTPRequest(.post, "/route", headers: bearer("alice"))
      #expect(server.routes.refuseHead?(own) == nil)
    }
  }

  /// Tokens of a model that a key may not ask are none of its business, and would load the model.
  @Test func limitsHoldForCounting() async throws {
    let small = key("small", Constraints(experts: ["smollm2-135m"]))
    try await with([small, key("any")]) { server async throws in
      for (path, fields) in [
        ("/tokenize", #""content": "x""#), ("/detokenize", #""tokens": [1]"#),
        ("/v1/messages/count_tokens", #""messages": [{"role": "user", "content": "x"}]"#),
      ] {
        for (model, name, status) in [
          ("gemma3-270m", "small", 422), ("smollm2-135m", "small", 200),
          ("gemma3-270m", "any", 200),
        ] {
          let reply = await server.post(
            path, "{\"model\": \"\(model)\", \(fields)}", headers: bearer(name))
          #expect(reply.status.code == status, "\(path) \(model) \(name): \(reply.text)")
        }
      }
    }
  }

  @Test func aRateOfRequests() async throws {
    try await with([key("alice", requestsPerMinute: 2), key("bob")]) { server in
      for _ in 0..<2 { #expect(await server.get("/usage", headers: bearer("alice")).status == .ok) }
      let refused = await server.get("/usage", headers: bearer("alice"))
      #expect(try refused.refusal() == Refusal(429, "rate_limit_exceeded", nil))
      let seconds = try #require(refused.headers["Retry-After"].flatMap { Int($0) })
      #expect((1...30).contains(seconds))
      let error = try #require(try object(refused.bytes)["error"] as? [String: Any])
      #expect(error["type"] as? String == "rate_limit_error")
      #expect(await server.get("/usage", headers: bearer("bob")).status == .ok)
    }
  }

  @Test func whatWasSpent() async throws {
    let keys = [
      key("alice", budget: Budget(usd: 5, period: .total), requestsPerMinute: 100),
      key("root", admin: true),
    ]
    try await with(keys, operators: ["operator"]) { server in
      func usage(_ name: String) async throws -> [String: Any] {
        try object(await server.get("/usage", headers: bearer(name)).bytes)
      }
      func names(_ usage: [String: Any]) -> [String] {
        (usage["keys"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
      }
      let own = try await usage("alice")
      #expect(names(own) == ["alice"])
      #expect(own["server"] == nil)
      let alice = try #require((own["keys"] as? [[String: Any]])?.first)
      #expect(alice["requests_per_minute"] as? Int == 100)
      let spending = try #require(alice["spending"] as? [String: Any])
      #expect(spending["budget_usd"] as? Double == 5)
      #expect(spending["spent_usd"] as? Double == 0)
      #expect(spending["remaining_usd"] as? Double == 5)
      #expect(spending["period"] as? String == "total")
      #expect(spending["resets_at"] == nil)
      for name in ["root", "operator"] {
        let all = try await usage(name)
        #expect(names(all) == ["alice", "root"])
        #expect((all["server"] as? [String: Any])?["period"] as? String == "month")
      }
    }
  }

  /// Decisions are their askers', and the metrics are the operator's.
  @Test func whoSeesWhat() async throws {
    let only = Constraints(experts: ["smollm2-135m"])
    try await with([key("alice", only), key("bob"), key("root", admin: true)]) { server in
      let reply = await server.post(
        "/route", #"{"prompt": "Hi", "max_tokens": 2, "strategy": "random"}"#,
        headers: bearer("alice"))
      #expect(reply.status == .ok, "\(reply.text)")
      #expect(reply.headers["X-Thalamus-Expert"] == "smollm2-135m")
      let id = try #require(reply.headers["X-Thalamus-Decision"])
      let own = try object(await server.get("/decisions/\(id)", headers: bearer("alice")).bytes)
      #expect(own["key_name"] as? String == "alice")
      #expect(
        try await server.get("/decisions/\(id)", headers: bearer("bob")).refusal()
          == Refusal(404, "decision_not_found", "id"))
      let page = try object(await server.get("/decisions", headers: bearer("bob")).bytes)
      #expect((page["decisions"] as? [Any])?.isEmpty == true)
      #expect(
        try await server.get("/metrics", headers: bearer("alice")).refusal()
          == Refusal(403, "permission_denied", nil))
      let metrics = await server.get("/metrics", headers: bearer("root")).text
      #expect(
        metrics.contains(#"thalamus_key_answers_total{key="alice",ending="completed"} 1"#))
      let unload = await server.post(
        "/api/generate", #"{"model": "smollm2-135m", "keep_alive": 0}"#, headers: bearer("alice"))
      #expect(unload.status == .forbidden)
      // A model that the key may not use, and isn't told of.
      for more in [HTTPHeaders(), ["anthropic-version": "2023-06-01"]] {
        var headers = bearer("alice")
        for field in more { headers.add(field.name, field.value) }
        let models = try object(await server.get("/v1/models", headers: headers).bytes)
        let ids = (models["data"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
        #expect(ids.contains("auto") && ids.contains("smollm2-135m"))
        #expect(!ids.contains("gemma3-270m"))
      }
      let named = await server.post(
        "/v1/chat/completions",
        #"{"model": "gemma3-270m", "messages": [{"role": "user", "content": "Hi"}]}"#,
        headers: bearer("alice"))
      #expect(try named.refusal() == Refusal(422, "no_eligible_expert", "constraints"))
    }
  }
}
