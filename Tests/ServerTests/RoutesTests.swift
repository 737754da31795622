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
    let usage = try #require(body["usage"] as? [String: Any])
    #expect(usage["completion_tokens"] as? Int == 3)
    #expect(usage["total_tokens"] as? Int == (usage["prompt_tokens"] as? Int ?? 0) + 3)
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
    #expect((chunks.last?["usage"] as? [String: Any])?["completion_tokens"] as? Int == 3)
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

  private struct Scores: Decodable {
    let tokens: [String]
    let token_logprobs: [Double?]
    let top_logprobs: [[String: Double]?]
    let text_offset: [Int]
  }

  private struct Completion: Decodable {
    struct Choice: Decodable {
      let text: String
      let finish_reason: String?
      let logprobs: Scores?
    }
    struct Usage: Decodable { let completion_tokens: Int }
    let choices: [Choice]
    let usage: Usage?
  }

  /// What was said of tokens when they were made is said of them when they are given.
  @Test(arguments: ["smollm2-135m", "gemma3-270m", "smollm2-135m-code"])
  func logprobsOfCompletions(expert: String) async throws {
    let server = try await ServerFixture()
    func ask(_ prompt: String, _ fields: String) async throws -> HTTPResponse {
      let text = String(decoding: try JSONEncoder().encode(prompt), as: UTF8.self)
      return await server.post(
        "/v1/completions",
        "{\"model\": \"\(expert)\", \"prompt\": \(text), \"temperature\": 0, \(fields)}")
    }
    func completion(_ prompt: String, _ fields: String) async throws -> Completion {
      let reply = try await ask(prompt, fields)
      #expect(reply.status == .ok, "\(reply.text)")
      return try JSONDecoder().decode(Completion.self, from: Data(reply.bytes))
    }
    let prompt = "Ένα 😀 emoji, and the capital of France is"
    let made = try await completion(prompt, #""max_tokens": 2, "echo": true, "logprobs": 2"#)
    let choice = try #require(made.choices.first)
    let scores = try #require(choice.logprobs)
    #expect(choice.text.hasPrefix(prompt))
    #expect(made.usage?.completion_tokens == 2)
    let count = scores.tokens.count
    #expect(scores.token_logprobs.count == count && scores.text_offset.count == count)
    #expect(scores.top_logprobs.count == count)
    // Every offset is where its token's text is, as far as that is text.
    let scalars = Array(choice.text.unicodeScalars)
    #expect(scores.text_offset == scores.text_offset.sorted() && scores.text_offset.first == 0)
    for (token, offset) in zip(scores.tokens, scores.text_offset) where !token.hasPrefix("bytes:") {
      #expect(scalars[offset...].starts(with: token.unicodeScalars), "\(token) at \(offset)")
    }
    for (logprob, top) in zip(scores.token_logprobs, scores.top_logprobs).dropFirst() {
      #expect(try #require(logprob) <= 0)
      #expect(try #require(logprob) <= (top?.values.max() ?? -1) + 1e-3)
    }
    // Greedy: the token itself is the most probable one.
    for index in (count - 2)..<count {
      #expect(scores.top_logprobs[index]?[scores.tokens[index]] == scores.token_logprobs[index])
    }

    let given = try await completion(
      choice.text, #""max_tokens": 0, "echo": true, "logprobs": 0"#)
    let again = try #require(given.choices.first)
    #expect(again.text == choice.text)
    #expect(again.finish_reason == "length" && given.usage?.completion_tokens == 0)
    #expect(again.logprobs?.tokens == scores.tokens)
    for (one, other) in zip(scores.token_logprobs, again.logprobs?.token_logprobs ?? []) {
      #expect(abs((one ?? 1) - (other ?? 1)) < 0.02)
    }

    // Without them there are none; without echo only those of the answer, from its own beginning.
    #expect(try await completion(prompt, #""max_tokens": 1"#).choices.first?.logprobs == nil)
    let answer = try await completion(prompt, #""max_tokens": 2, "logprobs": 1"#).choices.first
    #expect(answer?.logprobs?.tokens == Array(scores.tokens.suffix(2)))
    #expect(answer?.logprobs?.text_offset.first == 0)

    // Streamed, the pieces make the same.
    let stream = try await ask(
      prompt, #""max_tokens": 2, "echo": true, "logprobs": 2, "stream": true"#)
    let events = try await stream.streamed().components(separatedBy: "\n\n").filter {
      $0.hasPrefix("data: {")
    }.map { try JSONDecoder().decode(Completion.self, from: Data($0.dropFirst(6).utf8)) }
    let pieces = events.compactMap { $0.choices.first?.logprobs }
    #expect(pieces.count > 1)
    #expect(pieces.flatMap(\.tokens) == scores.tokens)
    #expect(pieces.flatMap(\.text_offset) == scores.text_offset)
    #expect(events.compactMap { $0.choices.first?.text }.joined() == choice.text)
    #expect(
      try await ask(prompt, #""max_tokens": 0"#).refusal()
        == Refusal(400, "invalid_value", "max_tokens"))
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

  @Test func oneExpert() async throws {
    let server = try await ServerFixture()
    let all = try object(await server.get("/experts").bytes)["experts"] as? [[String: Any]]
    let one = try object(await server.get("/experts/gemma3-270m").bytes)
    #expect(
      one as NSDictionary == all?.first { $0["id"] as? String == "gemma3-270m" } as NSDictionary?)
    #expect(
      try await server.get("/experts/nobody").refusal() == Refusal(404, "model_not_found", "model"))
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
