import Foundation
import Testing

/// Two built servers, of which one is the other's remote expert.
@Suite(.serialized) struct RemoteExpertTests {
  @Test func answersThroughAnotherServer() async throws {
    let far = try await RunningServer()
    let models = try ModelsFolder()
    let added = try await Command.thalamus(
      "experts", "add", far.baseURL.absoluteString + "/v1", "--model", "smollm2-135m", "--id",
      "far",
      "--completion-price", "2", "--models", models.path)
    #expect(added.status == 0, "\(added.errors)")
    let near = try await models.serve(arguments: [])

    let question = """
      "messages": [{"role": "user", "content": "What is the capital of France?"}],
      "temperature": 0, "max_tokens": 12
      """
    let direct = try await far.post(
      "/v1/chat/completions", "{\"model\": \"smollm2-135m\", \(question)}")
    let through = try await near.post("/v1/chat/completions", "{\"model\": \"far\", \(question)}")
    #expect(through.status == 200, "\(through.text)")
    let text = try direct.json["choices"][0]["message"]["content"].string
    #expect(text?.isEmpty == false)
    #expect(try through.json["choices"][0]["message"]["content"].string == text)
    #expect(through.headers["x-thalamus-expert"] == "far")
    for key in ["prompt_tokens", "completion_tokens"] {
      #expect(try through.json["usage"][key].int == direct.json["usage"][key].int)
    }
    #expect(try through.json["usage"]["cost_usd"].double == 24e-6)
    #expect(try direct.json["usage"]["cost_usd"].double == nil)

    // Formats and functions are for the endpoint to keep to, and its calls come back.
    let asked =
      #""tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}, "required": ["b", "a"]}}}], "tool_choice": "required", "messages": [{"role": "user", "content": "What is 17 plus 25?"}], "temperature": 0, "max_tokens": 80"#
    let format =
      #""response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {"z": {"type": "integer"}, "a": {"type": "integer"}}, "required": ["z", "a"]}}}"#
    for fields in [asked, format + ", " + question] {
      let direct = try await far.post(
        "/v1/chat/completions", "{\"model\": \"smollm2-135m\", \(fields)}")
      let through = try await near.post("/v1/chat/completions", "{\"model\": \"far\", \(fields)}")
      let expected = try direct.json["choices"][0]
      let found = try through.json["choices"][0]
      #expect(through.status == 200, "\(through.text)")
      #expect(found["finish_reason"].string == expected["finish_reason"].string)
      #expect(found["message"]["content"].string == expected["message"]["content"].string)
      let call = found["message"]["tool_calls"][0]["function"]
      let expectedCall = expected["message"]["tool_calls"][0]["function"]
      #expect(call["arguments"].string == expectedCall["arguments"].string)
      #expect(call["name"].string == (fields == asked ? "add" : nil))
    }

    // In Anthropic's words as well: what the other stopped at, and its calls.
    let stopped = try await near.post(
      "/v1/messages", "{\"model\": \"far\", \"stop_sequences\": [\"x!\", \",\"], \(question)}")
    #expect(try stopped.json["stop_reason"].string == "stop_sequence")
    #expect(try stopped.json["stop_sequence"].string == ",")
    let calling = try await near.post(
      "/v1/messages",
      #"{"model": "far", "temperature": 0, "max_tokens": 80, "tool_choice": {"type": "any"}, "tools": [{"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}], "messages": [{"role": "user", "content": "What is 17 plus 25?"}]}"#
    )
    #expect(try calling.json["stop_reason"].string == "tool_use")
    #expect(try calling.json["content"][0]["input"]["b"].int == 25)

    // An event a token, as the other server sends them.
    let stream = try await near.post(
      "/v1/chat/completions",
      "{\"model\": \"far\", \"stream\": true, \"stream_options\": {\"include_usage\": true}, \(question)}"
    )
    #expect(stream.text.components(separatedBy: "\"content\":").count > 10)
    #expect(stream.text.hasSuffix("data: [DONE]\n\n"))

    // It can be measured from here as from there.
    let prompts = near.folder.appending(path: "prompts.jsonl")
    try Data(
      #"{"id": "a", "domain": "x", "prompt": "The quick brown fox jumps over the lazy dog, é 😀."}"#
        .utf8
    ).write(to: prompts)
    let local = try ModelsFolder()
    try FileManager.default.createSymbolicLink(
      atPath: local.path + "/smollm2-135m",
      withDestinationPath: Binary.packageRoot.appending(path: "models/smollm2-135m").path)
    var losses: [String: Double] = [:]
    for (id, models) in [("far", models.path), ("smollm2-135m", local.path)] {
      let database = near.folder.appending(path: "\(id).sqlite").path
      let shared = ["--file", prompts.path, "--models", models, "--database", database]
      let collected = try await Command.run(
        Binary.url, ["outcomes", "collect", "--experts", id] + shared)
      #expect(collected.status == 0, "\(collected.errors)")
      let output = near.folder.appending(path: "\(id).jsonl")
      let exported = try await Command.run(
        Binary.url, ["outcomes", "export", "--output", output.path] + shared)
      #expect(exported.status == 0, "\(exported.errors)")
      let row = JSON(try JSONSerialization.jsonObject(with: Data(contentsOf: output)))
      losses[id] = row["losses"][id].double
    }
    #expect(abs((losses["far"] ?? 0) - (losses["smollm2-135m"] ?? 9)) < 1e-3, "\(losses)")
    // Nobody's prompts go there unasked.
    let unasked = try await Command.run(
      Binary.url,
      [
        "outcomes", "collect", "--file", prompts.path, "--models", models.path, "--database",
        near.folder.appending(path: "none.sqlite").path,
      ])
    #expect(unasked.output.contains("0 outcomes"), "\(unasked.output)")

    // What the other refuses is the caller's to know.
    let long = String(repeating: "word ", count: 9_000)
    let refused = try await near.post(
      "/v1/chat/completions",
      "{\"model\": \"far\", \"messages\": [{\"role\": \"user\", \"content\": \"\(long)\"}]}")
    #expect(refused.status == 400, "\(refused.text)")
    #expect(try refused.json["error"]["code"].string == "context_length_exceeded")

    // Gone: an error with a reason at once, then a rest, and no crash.
    far.send(signal: SIGKILL)
    _ = try await far.exitStatus(within: 10)
    let gone = try await near.post("/v1/chat/completions", "{\"model\": \"far\", \(question)}")
    #expect(gone.status == 502)
    #expect(try gone.json["error"]["code"].string == "endpoint_unreachable")
    let resting = try await near.post("/v1/chat/completions", "{\"model\": \"far\", \(question)}")
    #expect(resting.status == 503)
    #expect(try resting.json["error"]["code"].string == "model_unavailable")
    let log = try await near.get("/decisions")
    #expect(
      try log.json["decisions"].array.compactMap { $0["status"].string } == [
        "failed", "failed", "completed", "completed", "completed", "completed", "completed",
        "completed",
      ])
  }
}
