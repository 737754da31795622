import Foundation
import HTTP
import Server
import Testing

/// The routes in this process.
@Suite(.serialized) struct RoutesTests {
  private static let named = #""strategy": "single:smollm2-135m""#

  @Test func healthAndPlacesThatAreNot() async throws {
    let server = try await ServerFixture { $0.server.apiKeys = ["key"] }
    #expect(await server.get("/healthz").text == "ok\n")
    let ready = await server.get("/readyz")
    #expect(ready.status == .serviceUnavailable)
    #expect(try object(ready.bytes)["ready"] as? Bool == false)
    #expect(try await server.get("/nowhere").refusal() == Refusal(404, "not_found", nil))
    #expect(try await server.get("/route").refusal() == Refusal(405, "method_not_allowed", nil))
    // The key is asked for before the body is looked at.
    #expect(try await server.post("/route", "{").refusal() == Refusal(401, "missing_api_key", nil))
    let keyed: HTTPHeaders = ["Authorization": "Bearer key"]
    #expect(
      try await server.post("/route", "{", headers: keyed).refusal()
        == Refusal(400, "invalid_json", nil))
    #expect(await server.get("/experts").status == .unauthorized)
    #expect(await server.get("/experts", headers: keyed).status == .ok)
    await server.end()
  }

  /// The base and its adapters answer at the same time, from one resident model.
  @Test func expertsOnOneBase() async throws {
    let server = try await ServerFixture()
    let ids = server.service.library.manifests
      .filter { $0.card.id == "smollm2-135m" || $0.addition?.base == "smollm2-135m" }
      .map(\.card.id)
    #expect(ids.count >= 6)
    let texts = await withTaskGroup(of: (String, String?).self) { group in
      for id in ids {
        group.addTask {
          let reply = await server.post(
            "/route",
            #"{"prompt": "Tell me about the moon.", "max_tokens": 24, "#
              + #""strategy": "single:\#(id)"}"#)
          #expect(reply.headers["X-Thalamus-Expert"] == id)
          let completion = try? object(reply.bytes)["completion"] as? [String: Any]
          return (id, completion?["text"] as? String)
        }
      }
      return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    #expect(texts.count == ids.count)
    // Each says it in its own way: nobody was given another's adapter.
    #expect(Set(texts.values).count >= ids.count - 1, "\(texts)")
    await server.end()
  }

  @Test func route() async throws {
    let server = try await ServerFixture()
    let reply = await server.post("/route", #"{"prompt": "Hi", "max_tokens": 3, \#(Self.named)}"#)
    #expect(reply.status == .ok)
    let body = try object(reply.bytes)
    let id = try #require(body["id"] as? String)
    #expect(reply.headers["X-Thalamus-Decision"] == id)
    #expect(reply.headers["X-Thalamus-Expert"] == "smollm2-135m")
    #expect((body["completion"] as? [String: Any])?["finish_reason"] as? String == "length")
    let usage = try #require(body["usage"] as? [String: Int])
    #expect(usage["completion_tokens"] == 3)
    #expect(usage["total_tokens"] == (usage["prompt_tokens"] ?? 0) + 3)
    #expect((body["decision"] as? [String: Any])?["strategy"] as? String == "single:smollm2-135m")

    // The log's row, waiting or written, is found at once, by the list too.
    let list = try object(await server.get("/decisions").bytes)
    let newest = (list["decisions"] as? [[String: Any]])?.first
    #expect(newest?["id"] as? String == id && newest?["status"] as? String == "completed")
    let row = try object(await server.get("/decisions/\(id)").bytes)
    #expect(row["prompt"] as? String == "Hi")
    #expect(row["status"] as? String == "completed")
    #expect((row["experts"] as? [Any])?.count == server.service.library.ids.count)
    #expect(
      try await server.get("/decisions/none").refusal()
        == Refusal(404, "decision_not_found", "id"))

    let decided = await server.post(
      "/route", #"{"prompt": "Hi", "generate": false, \#(Self.named)}"#)
    #expect(try object(decided.bytes)["completion"] == nil)

    #expect(
      try await server.post("/route", #"{"prompt": "Hi"}"#).refusal()
        == Refusal(503, "router_untrained", nil))
    #expect(
      try await server.post(
        "/route", #"{"prompt": "Hi", "constraints": {"max_parameters": 5}, \#(Self.named)}"#
      ).refusal() == Refusal(422, "no_eligible_expert", "constraints"))
    #expect(
      try await server.post("/route", #"{"prompt": "Hi", "strategy": "oracle"}"#).refusal()
        == Refusal(400, "unknown_strategy", "strategy"))
    #expect(
      try await server.post("/route", #"{"prompt": "Hi", "temperature": -1, \#(Self.named)}"#)
        .refusal() == Refusal(400, "invalid_value", "temperature"))
    await server.end()
  }

  @Test func routeAsAStream() async throws {
    let server = try await ServerFixture()
    let text = try await server.post(
      "/route", #"{"prompt": "Hi", "max_tokens": 3, "stream": true, \#(Self.named)}"#
    ).streamed()
    let names = text.split(separator: "\n").filter { $0.hasPrefix("event: ") }
    #expect(names.first == "event: decision")
    #expect(names.dropFirst().dropLast().allSatisfy { $0 == "event: text" })
    #expect(names.last == "event: end")
    await server.end()
  }

  @Test func chatCompletions() async throws {
    let server = try await ServerFixture()
    let body = #""messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3"#
    let reply = await server.post(
      "/v1/chat/completions", #"{"model": "smollm2-135m", \#(body)}"#)
    let whole = try object(reply.bytes)
    #expect(whole["object"] as? String == "chat.completion")
    #expect(whole["model"] as? String == "smollm2-135m")
    let choice = try #require((whole["choices"] as? [[String: Any]])?.first)
    #expect(choice["finish_reason"] as? String == "length")
    let content = try #require((choice["message"] as? [String: Any])?["content"] as? String)

    let stream = try await server.post(
      "/v1/chat/completions",
      #"{"model": "smollm2-135m", "stream": true, "stream_options": {"include_usage": true}, \#(body)}"#
    ).streamed()
    let events = stream.split(separator: "\n\n").map(String.init)
    #expect(events.last == "data: [DONE]")
    let chunks = try events.dropLast().map { try object(Array($0.dropFirst(6).utf8)) }
    let deltas = chunks.compactMap {
      ($0["choices"] as? [[String: Any]])?.first?["delta"] as? [String: Any]
    }
    #expect(deltas.first?["role"] as? String == "assistant")
    #expect(deltas.compactMap { $0["content"] as? String }.joined() == content)
    #expect((chunks.last?["usage"] as? [String: Int])?["completion_tokens"] == 3)
    #expect((chunks.last?["choices"] as? [Any])?.isEmpty == true)

    #expect(
      try await server.post("/v1/chat/completions", #"{"model": "gpt", \#(body)}"#).refusal()
        == Refusal(404, "model_not_found", "model"))
    await server.end()
  }

  /// A bias that outweighs every logit writes one token again and again.
  @Test func biasedTokens() async throws {
    let server = try await ServerFixture()
    func text(_ fields: String) async throws -> String {
      let reply = await server.post(
        "/v1/completions", #"{"model": "smollm2-135m", "prompt": "Once", \#(fields)}"#)
      let choice = try #require((try object(reply.bytes)["choices"] as? [[String: Any]])?.first)
      return try #require(choice["text"] as? String)
    }
    let one = try await text(#""max_tokens": 1, "logit_bias": {"100": 100}"#)
    #expect(!one.isEmpty)
    #expect(
      try await text(#""max_tokens": 3, "logit_bias": {"100": 100}"#)
        == String(repeating: one, count: 3))
    #expect(
      try await server.post(
        "/v1/completions",
        #"{"model": "smollm2-135m", "prompt": "Once", "logit_bias": {"999999": 1}}"#
      ).refusal() == Refusal(400, "invalid_value", "logit_bias"))
    await server.end()
  }

  @Test func completions() async throws {
    let server = try await ServerFixture()
    let reply = await server.post(
      "/v1/completions",
      #"{"model": "smollm2-135m", "prompt": "The capital of France is", "max_tokens": 3, "echo": true}"#
    )
    let choice = try #require((try object(reply.bytes)["choices"] as? [[String: Any]])?.first)
    let text = try #require(choice["text"] as? String)
    #expect(text.hasPrefix("The capital of France is") && text.contains("Paris"))
    await server.end()
  }

  @Test func modelsAndEmbeddings() async throws {
    let server = try await ServerFixture()
    let models = try object(await server.get("/v1/models").bytes)
    let ids = (models["data"] as? [[String: Any]])?.compactMap { $0["id"] as? String }
    #expect(ids?.first == "auto" && ids?.contains("gemma3-270m") == true)
    #expect(await server.get("/v1/models/auto").status == .ok)
    // The encoder is a model of the list too, and says what it is for.
    #expect(ids?.last == "minilm-l6-v2")
    #expect(await server.get("/v1/models/minilm-l6-v2").status == .ok)
    let asked = #"{"model": "minilm-l6-v2", "messages": [{"role": "user", "content": "Hi"}]}"#
    #expect(
      try await server.post("/v1/chat/completions", asked).refusal()
        == Refusal(400, "unsupported_model", "model"))
    #expect(
      try await server.get("/v1/models/gpt").refusal() == Refusal(404, "model_not_found", "model"))
    let experts = try #require(
      try object(await server.get("/experts").bytes)["experts"] as? [[String: Any]])
    #expect(experts.allSatisfy { $0["state"] as? String == "available" })

    let floats = try object(
      await server.post("/v1/embeddings", #"{"input": ["a", "b"]}"#).bytes)
    let items = try #require(floats["data"] as? [[String: Any]])
    #expect(items.map { $0["index"] as? Int } == [0, 1])
    let vector = try #require(items.last?["embedding"] as? [Double])
    let coded = try object(
      await server.post(
        "/v1/embeddings", #"{"input": "b", "encoding_format": "base64", "model": "auto"}"#
      ).bytes)
    let text = try #require((coded["data"] as? [[String: Any]])?.first?["embedding"] as? String)
    let data = try #require(Data(base64Encoded: text))
    let same = data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(same.count == vector.count)
    #expect(zip(same, vector).allSatisfy { abs(Double($0) - $1) < 1e-5 })
    #expect(
      try await server.post("/v1/embeddings", #"{"input": "a", "model": "ada"}"#).refusal()
        == Refusal(404, "model_not_found", "model"))
    await server.end()
  }

  @Test func decisionsAreListed() async throws {
    let server = try await ServerFixture()
    for number in 0..<3 {
      _ = await server.post(
        "/route", #"{"prompt": "Hi \#(number)", "generate": false, \#(Self.named)}"#)
    }
    // Looking for one decision writes those that wait.
    _ = await server.get("/decisions/none")
    let page = try object(await server.get("/decisions?limit=2&status=decided").bytes)
    let rows = try #require(page["decisions"] as? [[String: Any]])
    #expect(rows.map { $0["prompt"] as? String } == ["Hi 2", "Hi 1"])
    let cursor = try #require(page["next_cursor"] as? String)
    let rest = try object(await server.get("/decisions?limit=2&cursor=\(cursor)").bytes)
    #expect((rest["decisions"] as? [Any])?.count == 1)
    #expect(rest["next_cursor"] == nil)
    // A time that a row shows can be asked for.
    let time = try #require(rows.last?["time"] as? String)
    #expect(await server.get("/decisions?since=\(time)").status == .ok)

    for (query, param) in [
      ("limit=0", "limit"), ("limit=x", "limit"), ("limit=1001", "limit"),
      ("status=lost", "status"), ("since=soon", "since"),
    ] {
      #expect(
        try await server.get("/decisions?\(query)").refusal()
          == Refusal(400, "invalid_value", param))
    }
    #expect(
      try await server.get("/decisions?exper=a").refusal() == Refusal(400, "unknown_key", "exper"))
    await server.end()
  }
}
