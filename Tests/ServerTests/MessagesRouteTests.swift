import Foundation
import HTTP
import Server
import Testing

/// Anthropic's routes in this process.
@Suite(.serialized) struct MessagesRouteTests {
  private static let body =
    #""max_tokens": 6, "messages": [{"role": "user", "content": "Count from 1 to 9."}, {"role": "assistant", "content": "1, 2,"}]"#
  private static let anthropic: HTTPHeaders = ["anthropic-version": "2023-06-01"]

  /// The names of a stream's events and what they say.
  private func events(_ text: String) throws -> [(name: String, data: [String: Any])] {
    try text.split(separator: "\n\n").map { event in
      let lines = event.split(separator: "\n", maxSplits: 1)
      let name = String(try #require(lines.first).dropFirst("event: ".count))
      let data = try object(Array(try #require(lines.last).dropFirst("data: ".count).utf8))
      #expect(data["type"] as? String == name)
      return (name, data)
    }
  }

  @Test func aMessage() async throws {
    let server = try await ServerFixture()
    let reply = await server.post("/v1/messages", #"{"model": "smollm2-135m", \#(Self.body)}"#)
    let message = try object(reply.bytes)
    let id = try #require(reply.headers["X-Thalamus-Decision"])
    #expect(message["id"] as? String == "msg_\(id)" && reply.headers["request-id"] == "req_\(id)")
    #expect(message["stop_reason"] as? String == "max_tokens")
    let content = try #require(message["content"] as? [[String: Any]])
    let text = try #require(content.first?["text"] as? String)
    // What was begun is gone on with.
    #expect(text.hasPrefix(" 3") && content.count == 1)
    let usage = try #require(message["usage"] as? [String: Int])
    #expect(usage["output_tokens"] == 6)
    for name in ["msg_\(id)", "req_\(id)"] {
      #expect(await server.get("/decisions/\(name)").status == .ok)
    }
    let count = try object(
      await server.post(
        "/v1/messages/count_tokens", #"{"model": "smollm2-135m", \#(Self.body)}"#
      ).bytes)
    #expect(count["input_tokens"] as? Int == usage["input_tokens"])
    // Counting decides nothing that the log should have.
    let log = try object(await server.get("/decisions").bytes)
    #expect((log["decisions"] as? [Any])?.count == 1)

    let stream = await server.post(
      "/v1/messages", #"{"model": "smollm2-135m", "stream": true, \#(Self.body)}"#)
    #expect(stream.headers["request-id"]?.hasPrefix("req_") == true)
    let found = try events(await stream.streamed())
    #expect(found.map(\.name).prefix(3) == ["message_start", "ping", "content_block_start"])
    #expect(
      found.map(\.name).suffix(3) == ["content_block_stop", "message_delta", "message_stop"])
    let pieces = found.compactMap { ($0.data["delta"] as? [String: Any])?["text"] as? String }
    #expect(pieces.joined() == text && pieces.count > 1)
    let end = try #require(found.dropLast().last?.data)
    #expect((end["delta"] as? [String: Any])?["stop_reason"] as? String == "max_tokens")
    await server.end()
  }

  @Test(arguments: ["", #""stream": true, "#]) func stopSequences(stream: String) async throws {
    let server = try await ServerFixture()
    let reply = await server.post(
      "/v1/messages",
      #"{"model": "smollm2-135m", "stop_sequences": ["7", "3"], \#(stream)\#(Self.body)}"#)
    var message = try stream.isEmpty ? object(reply.bytes) : [:]
    if !stream.isEmpty {
      let delta = try events(await reply.streamed()).first { $0.name == "message_delta" }
      message = try #require(delta?.data["delta"] as? [String: Any])
    }
    #expect(message["stop_reason"] as? String == "stop_sequence")
    #expect(message["stop_sequence"] as? String == "3")
    await server.end()
  }

  /// What the user and the operator say counts; answers and what tools found don't.
  @Test func flags() async throws {
    let server = try await ServerFixture()
    let flag = "[Flag: max parameters=5]"
    func status(_ fields: String) async -> Int {
      await server.post(
        "/v1/messages",
        #"{"max_tokens": 1, "thalamus": {"strategy": "single:smollm2-135m"}, \#(fields)}"#
      ).status.code
    }
    #expect(await status(#""messages": [{"role": "user", "content": "Hi"}]"#) == 200)
    #expect(await status(#""messages": [{"role": "user", "content": "Hi \#(flag)"}]"#) == 422)
    #expect(
      await status(
        #""system": [{"type": "text", "text": "\#(flag)"}], "messages": [{"role": "user", "content": "Hi"}]"#
      ) == 422)
    #expect(
      await status(
        #"""
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [
           {"type": "text", "text": "\#(flag)"}, {"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
          {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "\#(flag)"}]}]
        """#) == 200)
    await server.end()
  }

  /// What Anthropic's clients read of an error.
  private func error(_ response: HTTPResponse) throws -> (type: String, code: String, text: String)
  {
    let body = try object(response.bytes)
    #expect(body["type"] as? String == "error")
    let error = try #require(body["error"] as? [String: Any])
    return (
      try #require(error["type"] as? String),
      try #require((error["details"] as? [String: String])?["error_code"]),
      try #require(error["message"] as? String)
    )
  }

  @Test func errors() async throws {
    let server = try await ServerFixture { $0.server.apiKeys = ["key"] }
    var keyed = Self.anthropic
    keyed.set("x-api-key", "key")
    for (path, body, status, type, code) in [
      ("/v1/messages", "{", 400, "invalid_request_error", "invalid_json"),
      ("/v1/messages", "", 400, "invalid_request_error", "missing_body"),
      ("/v1/messages", "[]", 400, "invalid_request_error", "invalid_type"),
      ("/v1/messages/count_tokens", "{}", 400, "invalid_request_error", "missing_field"),
      (
        "/v1/messages", #"{"model": "gpt", \#(Self.body)}"#, 404, "not_found_error",
        "model_not_found"
      ),
      (
        "/v1/messages/count_tokens", #"{"model": "gpt", \#(Self.body)}"#, 404, "not_found_error",
        "model_not_found"
      ),
      // There is no router here.
      ("/v1/messages", "{\(Self.body)}", 503, "api_error", "router_untrained"),
    ] {
      let reply = await server.post(path, body, headers: keyed)
      let found = try error(reply)
      #expect(reply.status.code == status && found.type == type && found.code == code, "\(path)")
    }
    let long = String(repeating: "word ", count: 9_000)
    for name in ["model", "thalamus"] {
      let asked = name == "model" ? #""smollm2-135m""# : #"{"strategy": "single:smollm2-135m"}"#
      let found = try error(
        await server.post(
          "/v1/messages",
          #"{"\#(name)": \#(asked), "max_tokens": 1, "messages": [{"role": "user", "content": "\#(long)"}]}"#,
          headers: keyed))
      #expect(found.type == "invalid_request_error" && found.code == "context_length_exceeded")
      #expect(found.text.hasPrefix("prompt is too long: "))
    }
    let unknown = try error(
      await server.post(
        "/v1/messages", #"{"model": "claude-x", \#(Self.body)}"#, headers: keyed))
    #expect(unknown.text.contains("models.aliases") && unknown.text.contains("[claude-x=auto]"))

    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
      let reply = await server.post(path, "{}")
      #expect(reply.status == .unauthorized && reply.headers["WWW-Authenticate"] == "Bearer")
      #expect(try error(reply).type == "authentication_error")
    }
    #expect(
      try error(await server.get("/v1/models", headers: Self.anthropic)).code == "missing_api_key")
    // Others keep their own words.
    #expect(try await server.get("/v1/models").refusal() == Refusal(401, "missing_api_key", nil))
    #expect(await server.get("/v1/models", headers: keyed).status == .ok)
    await server.end()
  }

  @Test func models() async throws {
    let server = try await ServerFixture { $0.models.aliases = ["claude-x=smollm2-135m"] }
    func page(_ query: String) async throws -> (ids: [String], hasMore: Bool, last: String?) {
      let reply = await server.get("/v1/models\(query)", headers: Self.anthropic)
      let page = try object(reply.bytes)
      let models = try #require(page["data"] as? [[String: Any]])
      let ids = models.compactMap { $0["id"] as? String }
      #expect(models.allSatisfy { $0["type"] as? String == "model" })
      #expect(page["first_id"] as? String == ids.first)
      return (ids, try #require(page["has_more"] as? Bool), page["last_id"] as? String)
    }
    let all = try await page("")
    #expect(all.ids == ["auto"] + server.service.library.ids + ["claude-x"])
    #expect(!all.hasMore && all.last == "claude-x")
    let first = try await page("?limit=2")
    #expect(first.ids == Array(all.ids.prefix(2)) && first.hasMore)
    let rest = try await page("?limit=1000&after_id=\(first.ids[1])")
    #expect(rest.ids == Array(all.ids.dropFirst(2)) && !rest.hasMore)
    let before = try await page("?limit=1&before_id=\(all.ids[2])")
    #expect(before.ids == [all.ids[1]] && before.hasMore)
    #expect(try await page("?after_id=claude-x").ids.isEmpty)

    let one = try object(
      await server.get("/v1/models/smollm2-135m", headers: Self.anthropic).bytes)
    #expect(one["display_name"] as? String == "SmolLM2 135M Instruct")
    #expect((one["created_at"] as? String)?.hasSuffix("T00:00:00Z") == true)
    for (target, status, type) in [
      ("/v1/models/none", 404, "not_found_error"),
      ("/v1/models?limit=0", 400, "invalid_request_error"),
    ] {
      let reply = await server.get(target, headers: Self.anthropic)
      #expect(try reply.status.code == status && error(reply).type == type)
    }
    await server.end()
  }

  /// An endpoint that breaks off: an error in the stream, and one in its place where nothing was sent.
  @Test func failures() async throws {
    let peer = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { request in
      if String(decoding: request.body, as: UTF8.self).contains("busy") {
        return .json(Array("{}".utf8), status: .tooManyRequests)
      }
      return .stream(contentType: "text/event-stream") { writer in
        try await writer.write("data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n")
        try await writer.write("data: nonsense\n\n")
      }
    }
    try peer.start()
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "thalamus-messages-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let server = try await ServerFixture { configuration in
      try? FileManager.default.createDirectory(
        atPath: folder + "/far", withIntermediateDirectories: true)
      try? FileManager.default.createSymbolicLink(
        atPath: folder + "/minilm-l6-v2",
        withDestinationPath: configuration.models.directory + "/minilm-l6-v2")
      let card = "id: far\nkind: remote\nendpoint: http://127.0.0.1:\(peer.port ?? 0)/v1\n"
      try? Data(card.utf8).write(to: URL(filePath: folder + "/far/expert.yaml"))
      configuration.models.directory = folder
    }
    func ask(_ text: String, _ fields: String) async -> HTTPResponse {
      await server.post(
        "/v1/messages",
        #"{"model": "far", "max_tokens": 5, \#(fields)"messages": [{"role": "user", "content": "\#(text)"}]}"#
      )
    }
    let found = try events(await ask("x", #""stream": true, "#).streamed())
    #expect(
      found.map(\.name) == [
        "message_start", "ping", "content_block_start", "content_block_delta", "error",
      ])
    let last = try #require(found.last?.data["error"] as? [String: Any])
    #expect(last["type"] as? String == "api_error")
    #expect((last["details"] as? [String: String])?["error_code"] == "endpoint_malformed")
    await server.end()
    let again = try await ServerFixture { $0.models.directory = folder }
    let busy = await again.post(
      "/v1/messages",
      #"{"model": "far", "max_tokens": 5, "messages": [{"role": "user", "content": "busy"}]}"#)
    #expect(busy.status.code == 529 && busy.headers["Retry-After"] == "1")
    #expect(try error(busy).type == "overloaded_error")
    await again.end()
    await peer.shutdown(graceTimeout: .zero)
  }
}
