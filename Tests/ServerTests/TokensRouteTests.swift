import Foundation
import HTTP
import Server
import Testing
import Thalamus

/// `/tokenize`, `/detokenize`, and prompts by token ids.
@Suite(.serialized) struct TokensRouteTests {
  @Test func tokensAreTheExpertsOwn() async throws {
    let server = try await ServerFixture {
      $0.models.aliases = ["mine=smollm2-135m-code"]
    }
    func tokens(_ body: String) async throws -> [Int] {
      let reply = await server.post("/tokenize", body)
      return try #require(try object(reply.bytes)["tokens"] as? [Int], "\(reply.text)")
    }
    // The ids of `scripts/fixtures/token_ids.py`'s reference for this text.
    let text = #""content": "Hello, world!""#
    let smollm = try await tokens(#"{"model": "smollm2-135m", \#(text)}"#)
    #expect(smollm == [19556, 28, 905, 17])
    #expect(try await tokens(#"{"model": "smollm2-135m-code", \#(text)}"#) == smollm)
    #expect(try await tokens(#"{"model": "mine", \#(text)}"#) == smollm)
    let gemma = try await tokens(#"{"model": "gemma3-270m", \#(text)}"#)
    #expect(gemma == [9259, 236764, 1902, 236888])
    #expect(
      try await tokens(#"{"model": "gemma3-270m", \#(text), "add_special": true}"#) == [2] + gemma)

    // A control token is read as one, unless it is not wanted.
    let control = #""model": "smollm2-135m", "content": "<|im_start|>""#
    #expect(try await tokens("{\(control)}") == [1])
    #expect(try await tokens(#"{\#(control), "parse_special": false}"#).count > 1)
    #expect(try await tokens(#"{"model": "smollm2-135m", "content": ""}"#) == [])

    // Pieces; of a character that is cut, its bytes.
    let pieces = await server.post(
      "/tokenize", #"{"model": "smollm2-135m", "content": "Hi 𒀀", "with_pieces": true}"#)
    let list = try #require(try object(pieces.bytes)["tokens"] as? [[String: Any]])
    #expect(list.first?["piece"] as? String == "Hi")
    var bytes: [UInt8] = []
    for entry in list {
      if let text = entry["piece"] as? String { bytes += Array(text.utf8) }
      for byte in entry["piece"] as? [Int] ?? [] { bytes.append(UInt8(byte)) }
    }
    #expect(String(decoding: bytes, as: UTF8.self) == "Hi 𒀀")
    #expect(list.contains { $0["piece"] is [Int] })

    let back = await server.post("/detokenize", #"{"model": "smollm2-135m", "tokens": \#(smollm)}"#)
    #expect(try object(back.bytes)["content"] as? String == "Hello, world!")
    #expect(back.headers["x-thalamus-expert"] == "smollm2-135m")
    let named = await server.post("/detokenize", #"{"model": "smollm2-135m", "tokens": [1, 2]}"#)
    #expect(try object(named.bytes)["content"] as? String == "<|im_start|><|im_end|>")
    await server.end()
  }

  @Test func whatCantBe() async throws {
    let server = try await ServerFixture()
    for (path, body, expected) in [
      ("/tokenize", #"{"model": "smollm2-135m"}"#, Refusal(400, "missing_field", "content")),
      (
        "/tokenize", #"{"model": "smollm2-135m", "content": 1}"#,
        Refusal(400, "invalid_type", "content")
      ),
      (
        "/tokenize", #"{"model": "none", "content": "a"}"#, Refusal(404, "model_not_found", "model")
      ),
      (
        "/tokenize", #"{"model": "minilm-l6-v2", "content": "a"}"#,
        Refusal(400, "unsupported_model", "model")
      ),
      ("/detokenize", #"{"tokens": [1]}"#, Refusal(400, "missing_field", "model")),
      (
        "/detokenize", #"{"model": "smollm2-135m", "tokens": [49152]}"#,
        Refusal(400, "invalid_value", "tokens")
      ),
      (
        "/detokenize", #"{"model": "smollm2-135m", "tokens": [-1]}"#,
        Refusal(400, "invalid_value", "tokens")
      ),
      (
        "/detokenize", #"{"model": "smollm2-135m", "tokens": [1.5]}"#,
        Refusal(400, "invalid_value", nil)
      ),
      (
        "/v1/completions", #"{"model": "smollm2-135m", "prompt": [1, 49152]}"#,
        Refusal(400, "invalid_value", "prompt")
      ),
      (
        "/v1/completions", #"{"model": "smollm2-135m", "prompt": [[1], [9223372036854775807]]}"#,
        Refusal(400, "invalid_value", "prompt")
      ),
      ("/v1/completions", #"{"prompt": [1, 2]}"#, Refusal(400, "missing_field", "model")),
      (
        "/v1/completions", #"{"model": "smollm2-135m", "prompt": [1, "a"]}"#,
        Refusal(400, "invalid_type", "prompt")
      ),
      (
        "/v1/completions", #"{"model": "smollm2-135m", "prompt": [[1], []]}"#,
        Refusal(400, "invalid_value", "prompt")
      ),
    ] {
      #expect(try await server.post(path, body).refusal() == expected, "\(path) \(body)")
    }
    await server.end()
  }

  /// A prompt by its ids is the prompt by its text.
  @Test func promptsByIds() async throws {
    let server = try await ServerFixture()
    func completion(_ prompt: String, _ more: String = "") async throws -> [String: Any] {
      let reply = await server.post(
        "/v1/completions",
        #"{"model": "smollm2-135m", "prompt": \#(prompt), "temperature": 0, "max_tokens": 6\#(more)}"#
      )
      #expect(reply.status == .ok, "\(reply.text)")
      return try object(reply.bytes)
    }
    func texts(_ reply: [String: Any]) -> [String] {
      (reply["choices"] as? [[String: Any]] ?? []).compactMap { $0["text"] as? String }
    }
    let tokenized = await server.post(
      "/tokenize", #"{"model": "smollm2-135m", "content": "The capital of France is"}"#)
    let ids = try #require(try object(tokenized.bytes)["tokens"] as? [Int])
    let byText = try await completion(#""The capital of France is""#)
    let byIds = try await completion("\(ids)")
    #expect(texts(byIds) == texts(byText) && texts(byIds).first?.contains("Paris") == true)
    #expect(
      (byIds["usage"] as? [String: Any])?["prompt_tokens"] as? Int
        == (byText["usage"] as? [String: Any])?["prompt_tokens"] as? Int)
    let several = try await completion("[\(ids), \(ids)]", #", "n": 2"#)
    #expect(texts(several) == Array(repeating: texts(byText)[0], count: 4))

    // As programs that evaluate models ask: every id has its place, the first of a text too.
    let scored = try await completion(
      "[\([1] + ids)]", #", "echo": true, "logprobs": 1"#)
    let choice = try #require((scored["choices"] as? [[String: Any]])?.first)
    let logprobs = try #require(choice["logprobs"] as? [String: Any])
    let tokens = try #require(logprobs["tokens"] as? [String])
    #expect(tokens.count == 1 + ids.count + 6)
    #expect(tokens.first == "<|im_start|>")
    let values = try #require(logprobs["token_logprobs"] as? [Any])
    #expect(values[0] is NSNull && values.dropFirst().allSatisfy { ($0 as? Double ?? 1) <= 0 })
    #expect((choice["text"] as? String)?.hasPrefix("<|im_start|>The capital of France is") == true)
    let echoed = try await completion("\(ids)", #", "echo": true"#)
    #expect(texts(echoed)[0] == "The capital of France is" + texts(byText)[0])

    // In the log as the text that they stand for.
    let row = try object(await server.get("/decisions?limit=1").bytes)
    let newest = try #require((row["decisions"] as? [[String: Any]])?.first)
    #expect(newest["prompt"] as? String == "The capital of France is")
    await server.end()
  }

  @Test func ofARemoteExpertNothingIsKnown() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "thalamus-tokens-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let models = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "models")
    let far = folder.appending(path: "far")
    try FileManager.default.createDirectory(at: far, withIntermediateDirectories: true)
    try Data("id: far\nkind: remote\nendpoint: http://127.0.0.1:9/v1\n".utf8)
      .write(to: far.appending(path: "expert.yaml"))
    for name in ["minilm-l6-v2", "smollm2-135m"] {
      try FileManager.default.createSymbolicLink(
        at: folder.appending(path: name), withDestinationURL: models.appending(path: name))
    }
    let server = try await ServerFixture {
      $0.models.directory = folder.path
      $0.router.strategy = "random"
    }
    let refused = Refusal(400, "unsupported_model", "model")
    #expect(
      try await server.post("/tokenize", #"{"model": "far", "content": "a"}"#).refusal() == refused)
    #expect(
      try await server.post("/detokenize", #"{"model": "far", "tokens": [1]}"#).refusal() == refused
    )
    #expect(
      try await server.post("/v1/completions", #"{"model": "far", "prompt": [1]}"#).refusal()
        == refused)
    // The router chooses among those that are here.
    for _ in 0..<8 {
      let reply = await server.post("/tokenize", #"{"content": "Hello"}"#)
      #expect(reply.headers["x-thalamus-expert"] == "smollm2-135m", "\(reply.text)")
    }
    await server.end()
  }
}
