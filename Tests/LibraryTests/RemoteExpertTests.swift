import Foundation
import Generation
import Grammar
import HTTP
import HTTPClient
import JSON
import Library
import Routing
import Synchronization
import Testing
import Tokenization

/// A remote expert against a server of the test's own.
@Suite(.serialized) struct RemoteExpertTests {
  /// What the peer was asked.
  private final class Seen: Sendable {
    private let requests = Mutex<[HTTPRequest]>([])
    func note(_ request: HTTPRequest) { requests.withLock { $0.append(request) } }
    var count: Int { requests.withLock { $0.count } }
    var last: HTTPRequest? { requests.withLock { $0.last } }
    var body: [String: Any]? {
      last.flatMap { try? JSONSerialization.jsonObject(with: Data($0.body)) as? [String: Any] }
    }
  }

  private let health = EndpointHealth()

  private func with(
    _ handler: @escaping HTTPHandler, timeoutSeconds: Int = 20,
    fields: [Endpoint.BodyField] = [], key: Endpoint.KeySource? = nil,
    _ body: (RemoteExpert, Seen) async throws -> Void
  ) async throws {
    let seen = Seen()
    let server = HTTPServer(configuration: HTTPServerConfiguration(port: 0)) { request in
      seen.note(request)
      return await handler(request)
    }
    try server.start()
    let client = try HTTPClient()
    let expert = RemoteExpert(
      card: ExpertCard(id: "far", kind: .remote),
      endpoint: try Endpoint(
        url: "http://127.0.0.1:\(server.port ?? 0)/v1", model: "big", keySource: key,
        bodyFields: fields, timeoutSeconds: timeoutSeconds),
      health: health, client: client)
    do {
      try await body(expert, seen)
    } catch {
      await server.shutdown(graceTimeout: .zero)
      throw error
    }
    await expert.shutDown(finishing: false)
    client.shutDown()
    await server.shutdown(graceTimeout: .zero)
  }

  private static func chunk(_ text: String, end: String? = nil) -> String {
    let reason = end.map { "\"\($0)\"" } ?? "null"
    return
      "data: {\"choices\":[{\"delta\":{\"content\":\"\(text)\"},\"finish_reason\":\(reason)}]}\n\n"
  }

  private static func stream(_ pieces: String...) -> HTTPResponse {
    .stream(contentType: "text/event-stream") { writer in
      for piece in pieces { try await writer.write(piece) }
    }
  }

  private func answer(
    _ expert: RemoteExpert, _ input: ExpertInput = .messages([.init(role: "user", content: "Hi")]),
    _ parameters: SamplingParameters = SamplingParameters(temperature: 0.7, maxTokens: 20)
  ) async throws -> (text: String, summary: GenerationSummary?) {
    var text = ""
    var summary: GenerationSummary?
    for try await event in try await expert.answer(input, parameters: parameters) {
      switch event {
      case .started: #expect(text.isEmpty)
      case .reasoning(let piece): text += "(\(piece))"
      case .text(let piece, _): text += piece
      case .toolCallStart(let id, let name): text += "[\(id) \(name)]"
      case .toolCallArguments(let piece): text += "[\(piece)]"
      case .finished(let end): summary = end
      }
    }
    return (text, summary)
  }

  private func failure(_ expert: RemoteExpert) async throws -> RemoteError? {
    do {
      _ = try await answer(expert)
      return nil
    } catch let error as RemoteError {
      return error
    }
  }

  @Test func asksAndAnswers() async throws {
    setenv("REMOTE_TEST_KEY", "sk-test", 1)
    try await with(
      { _ in
        Self.stream(
          Self.chunk("one "), Self.chunk("two", end: "stop"),
          "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5}}\n\n",
          "data: [DONE]\n\n")
      },
      fields: [
        .init(name: "temperature", json: nil), .init(name: "user", json: Array("\"me\"".utf8)),
      ],
      key: .environment("REMOTE_TEST_KEY")
    ) { expert, seen in
      var parameters = SamplingParameters(temperature: 0.7, seed: 7, maxTokens: 20)
      parameters.topP = 0.9
      let (text, summary) = try await answer(
        expert,
        .messages([
          .init(role: "system", content: "Be \"brief\"\n"), .init(role: "user", content: "Hé"),
        ]),
        parameters)
      #expect(text == "one two")
      #expect(summary?.promptTokens == 9 && summary?.completionTokens == 5)
      #expect(summary?.finishReason == .endToken)
      #expect(seen.last?.path == "/v1/chat/completions")
      #expect(seen.last?.headers["Authorization"] == "Bearer sk-test")
      #expect(seen.last?.headers[RemoteExpert.hopsHeader] == "1")
      let body = try #require(seen.body)
      #expect(
        Set(body.keys) == [
          "model", "messages", "stream", "stream_options", "max_tokens", "seed", "top_p", "user",
        ])
      #expect(body["model"] as? String == "big")
      #expect(body["max_tokens"] as? Int == 20)
      #expect(body["seed"] as? Int == 7)
      #expect(body["top_p"] as? Double == 0.9)
      #expect(body["user"] as? String == "me")
      #expect(
        body["messages"] as? [[String: String]] == [
          ["role": "system", "content": "Be \"brief\"\n"], ["role": "user", "content": "Hé"],
        ])
    }
  }

  @Test func imagesAreSentAsTheyCame() async throws {
    try await with({ _ in Self.stream(Self.chunk("a cat", end: "stop"), "data: [DONE]\n\n") }) {
      expert, seen in
      let file = try ChatImage(base64: "iVBORw0KGgo=", detail: "low")
      let input = ExpertInput.messages([
        ChatMessage(
          role: "user",
          parts: [
            .text("What?"), .image(file), .image(try ChatImage(url: "https://example.com/a")),
          ]),
        ChatMessage(role: "assistant", content: "One."),
      ])
      #expect(try await answer(expert, input, SamplingParameters()).0 == "a cat")
      let body = try #require(seen.body)
      let messages = try #require(body["messages"] as? [[String: Any]])
      let parts = try #require(messages[0]["content"] as? [[String: Any]])
      #expect(parts.map { $0["type"] as? String } == ["text", "image_url", "image_url"])
      #expect(parts[0]["text"] as? String == "What?")
      #expect(
        parts[1]["image_url"] as? [String: String]
          == ["url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"])
      #expect(parts[2]["image_url"] as? [String: String] == ["url": "https://example.com/a"])
      #expect(messages[1]["content"] as? String == "One.")
      let text = expert.promptTokenCount(
        .messages([ChatMessage(role: "user", content: "What?")]), parameters: SamplingParameters())
      #expect(expert.promptTokenCount(input, parameters: SamplingParameters()) > text + 500)
    }
  }

  @Test func otherParametersAreSentWhereTheyAreGiven() async throws {
    try await with({ _ in Self.stream(Self.chunk("a", end: "length")) }) { expert, seen in
      var parameters = SamplingParameters(temperature: 0)
      parameters.topK = 40
      parameters.minP = 0.1
      parameters.repetitionPenalty = 1.1
      parameters.frequencyPenalty = 0.5
      parameters.presencePenalty = -0.5
      parameters.stop = ["\n", "End"]
      parameters.logitBias = [5: -100, 3: 0.5]
      let (_, summary) = try await answer(expert, .continuation("Once"), parameters)
      #expect(summary?.finishReason == .maxTokens)
      #expect(summary?.completionTokens == 1, "counted by pieces where the endpoint doesn't")
      #expect(seen.last?.path == "/v1/completions")
      #expect(seen.last?.headers["Authorization"] == nil)
      let body = try #require(seen.body)
      #expect(body["prompt"] as? String == "Once")
      #expect(body["temperature"] as? Double == 0)
      #expect(body["top_k"] as? Int == 40)
      #expect(body["min_p"] as? Double == 0.1)
      #expect(body["repetition_penalty"] as? Double == 1.1)
      #expect(body["frequency_penalty"] as? Double == 0.5)
      #expect(body["presence_penalty"] as? Double == -0.5)
      #expect(body["stop"] as? [String] == ["\n", "End"])
      #expect(body["logit_bias"] as? [String: Double] == ["5": -100, "3": 0.5])
      #expect(body["max_tokens"] == nil)
    }
  }

  /// What the endpoint's model thinks is no part of its answer; what is asked of it goes there.
  @Test func thinkingComesBesideTheAnswer() async throws {
    try await with({ _ in
      Self.stream(
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"Hm\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"reasoning\":\", so\"}}]}\n\n",
        Self.chunk("four", end: "stop"), "data: [DONE]\n\n")
    }) { expert, seen in
      var parameters = SamplingParameters(maxTokens: 50)
      let plain = try await answer(expert, .continuation("Hi"), parameters)
      #expect(plain.text == "(Hm)(, so)four")
      #expect(plain.summary?.reasoningTokens == 2 && plain.summary?.completionTokens == 3)
      let names = ["reasoning_effort", "thinking_budget_tokens", "chat_template_kwargs"]
      #expect(names.allSatisfy { seen.body?[$0] == nil })
      parameters.reasoning = ReasoningRequest(
        effort: .low, budgetTokens: 9, templateVariables: ["enable_thinking": .bool(true)])
      _ = try await answer(
        expert,
        .messages([
          .init(role: "assistant", content: "4", reasoning: "Hm"),
          .init(role: "user", content: "?"),
        ]), parameters)
      #expect(seen.body?["reasoning_effort"] as? String == "low")
      #expect(seen.body?["thinking_budget_tokens"] as? Int == 9)
      #expect(seen.body?["chat_template_kwargs"] as? [String: Bool] == ["enable_thinking": true])
      // Some endpoints refuse what was thought, and none has to be given it.
      let messages = seen.body?["messages"] as? [[String: String]]
      #expect(messages?.first == ["role": "assistant", "content": "4"])
      parameters.reasoning = .off
      _ = try await answer(expert, .continuation("Hi"), parameters)
      #expect(seen.body?["reasoning_effort"] as? String == "none")
      // Whose interface expects none by itself says nothing to an endpoint, which may refuse the field.
      parameters.reasoning = .unasked
      _ = try await answer(expert, .continuation("Hi"), parameters)
      #expect(names.allSatisfy { seen.body?[$0] == nil })
    }
  }

  /// Calls come in bits, and are whole at the end.
  @Test func functionsAreOfferedAndCalled() async throws {
    func chunk(_ delta: String, end: String = "null") -> String {
      "data: {\"choices\":[{\"delta\":\(delta),\"finish_reason\":\(end)}]}\n\n"
    }
    let stream = Self.stream(
      chunk(#"{"role":"assistant","content":null}"#),
      chunk(
        #"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#
      ),
      chunk(#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}"#),
      chunk(#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#),
      chunk(#"{"tool_calls":[{"index":0,"function":{"arguments":" 1}"}}]}"#),
      chunk("{}", end: "\"tool_calls\""), "data: [DONE]\n\n")
    try await with({ _ in stream }) { expert, seen in
      var parameters = SamplingParameters(maxTokens: 50)
      let schema = JSONValue.object([("type", .string("object"))])
      let field = JSONValue.object([("type", .string("function")), ("function", schema)])
      parameters.tools = try ToolUse(
        tools: [
          Tool(
            function: ToolFunction(name: "f", parameters: schema, isStrict: false),
            description: nil, requestField: field)
        ], choice: .named("f"), allowsSeveral: false)
      parameters.format = try AnswerFormat(
        grammar: Grammar.json(schema: schema), requestField: field)
      let (text, summary) = try await answer(
        expert,
        .messages([
          .init(role: "user", content: "Hi"),
          .init(
            role: "assistant", content: "", toolCalls: [.init(id: "9", name: "f", arguments: "{ }")]
          ),
          .init(role: "tool", content: "found", toolCallID: "9"),
        ]), parameters)
      #expect(text == #"[a f][{"x": 1}][b g][{}]"#)
      #expect(summary?.finishReason == .toolCalls)
      let body = try #require(seen.body)
      let messages = try #require(body["messages"] as? [[String: Any]])
      #expect(messages[1]["content"] is NSNull)
      let call = try #require((messages[1]["tool_calls"] as? [[String: Any]])?.first)
      #expect(call["id"] as? String == "9")
      #expect(call["function"] as? [String: String] == ["name": "f", "arguments": "{ }"])
      #expect(messages[2]["tool_call_id"] as? String == "9")
      #expect((body["tools"] as? [Any])?.count == 1)
      #expect(
        (body["tool_choice"] as? [String: Any])?["function"] as? [String: String] == ["name": "f"])
      #expect(body["parallel_tool_calls"] as? Bool == false)
      #expect((body["response_format"] as? [String: Any])?["type"] as? String == "function")
    }
  }

  /// A caller's stop text and the answer's own end look alike from here, unless the endpoint tells.
  @Test(arguments: [("x", FinishReason.stopString("x")), ("y", .reported("stop"))])
  func stopTexts(told: String, reason: FinishReason) async throws {
    let end = #"{"delta":{},"finish_reason":"stop","stop_reason":"\#(told)"}"#
    try await with({ _ in
      Self.stream(Self.chunk("a"), "data: {\"choices\":[\(end)]}\n\n")
    }) { expert, _ in
      var parameters = SamplingParameters()
      parameters.stop = ["x"]
      let found = try await answer(expert, .continuation("a"), parameters).summary
      #expect(found?.finishReason == reason)
    }
  }

  @Test func toolsAreCountedToo() async throws {
    try await with({ _ in .text("") }) { expert, _ in
      var parameters = SamplingParameters()
      let without = expert.promptTokenCount(.continuation("a"), parameters: parameters)
      let tool = Tool(
        function: ToolFunction(name: "f", parameters: nil, isStrict: false), description: nil,
        requestField: .string(String(repeating: "x", count: 398)))
      parameters.tools = try ToolUse(tools: [tool], choice: .auto, allowsSeveral: nil)
      let with = expert.promptTokenCount(.continuation("a"), parameters: parameters)
      #expect(with == without + 100)
    }
  }

  @Test func finishReasons() async throws {
    for (word, stops, reason) in [
      ("stop", [], FinishReason.endToken), ("stop", ["x"], .reported("stop")),
      ("length", ["x"], .maxTokens), ("content_filter", [], .reported("content_filter")),
      ("eos", [], .endToken),
    ] {
      try await with({ _ in Self.stream(Self.chunk("a", end: word)) }) { expert, _ in
        var parameters = SamplingParameters()
        parameters.stop = stops
        let found = try await answer(expert, .continuation("a"), parameters).summary
        #expect(found?.finishReason == reason)
      }
    }
  }

  @Test(arguments: [
    (401, false), (403, false), (404, false), (402, false), (429, false), (500, false),
    (503, false), (301, false), (400, true), (413, true), (422, true),
  ])
  func refusals(status: Int, staysUp: Bool) async throws {
    let body = #"{"error":{"message":"no \u0000 luck","code":"why"}}"#
    try await with({ _ in
      var response = HTTPResponse.json(
        Array(body.utf8), status: HTTPStatus(code: status, reason: "x"))
      response.headers.set("Retry-After", "9")
      return response
    }) { expert, seen in
      let error = try await failure(expert)
      switch status {
      case 401, 403: #expect(error == .keyRefused(expert: "far", status: status))
      case 429: #expect(error == .busy(expert: "far", retryAfterSeconds: 9))
      case 400..<402, 413, 422:
        #expect(error == .refused(expert: "far", status: status, message: "no luck", code: "why"))
      default:
        guard case .failed("far", status, _)? = error else {
          Issue.record("\(String(describing: error))")
          return
        }
      }
      #expect((health.obstacle == nil) == staysUp)
      let asked = seen.count
      if !staysUp {
        guard case .resting? = try await failure(expert) else {
          Issue.record("it is asked again at once")
          return
        }
        #expect(seen.count == asked)
      }
    }
  }

  /// Before the first text whatever goes wrong is thrown by `answer`, so that another expert can be asked.
  @Test func failsBeforeTheFirstText() async throws {
    try await with({ _ in
      Self.stream(": wait\n\n", "data: {\"error\":{\"message\":\"no credits\"}}\n\n")
    }) {
      expert, _ in
      await #expect(throws: RemoteError.malformed(expert: "far", problem: "no credits")) {
        _ = try await expert.answer(.continuation("a"), parameters: SamplingParameters())
      }
    }
    health.succeeded()
    try await with({ _ in .text("<html>hello</html>") }) { expert, _ in
      await #expect(throws: RemoteError.malformed(expert: "far", problem: "the answer broke off")) {
        _ = try await expert.answer(.continuation("a"), parameters: SamplingParameters())
      }
    }
    health.succeeded()
    // Nothing at all is no answer; an answer without text is one.
    try await with({ _ in Self.stream("data: [DONE]\n\n") }) { expert, _ in
      await #expect(throws: RemoteError.self) { try await answer(expert) }
      #expect(health.obstacle != nil, "the next prompts go elsewhere for a moment")
      health.succeeded()
    }
    try await with({ _ in Self.stream(Self.chunk("", end: "stop")) }) { expert, _ in
      let text = try await answer(expert).text
      #expect(text == "")
    }
  }

  /// What quotes the key does not get to those who asked.
  @Test(arguments: [400, 500, 302, 200])
  func theKeyIsNotPassedOn(status: Int) async throws {
    setenv("REMOTE_TEST_KEY_3", "sk-secret", 1)
    try await with(
      { _ in
        let body = #"{"error":{"message":"bad key sk-secret","code":"sk-secret"}}"#
        var response = HTTPResponse.json(
          Array(body.utf8), status: HTTPStatus(code: status, reason: "x"))
        response.headers.set("Location", "/?key=sk-secret")
        return response
      }, key: .environment("REMOTE_TEST_KEY_3")
    ) { expert, _ in
      let error = try #require(try await failure(expert))
      #expect(!"\(error)".contains("secret"), "\(error)")
      if case .refused(_, _, _, let code) = error { #expect(code == "(the key)") }
    }
  }

  /// Nor a part of it, where a long message is cut within.
  @Test(arguments: [385, 391, 394, 396, 399]) func noPartOfTheKeyIsPassedOn(padding: Int)
    async throws
  {
    setenv("REMOTE_TEST_KEY_4", "sk-secret", 1)
    try await with(
      { _ in
        let message = String(repeating: "x", count: padding) + "sk-secret and more"
        return HTTPResponse.json(
          Array(#"{"error":{"message":"\#(message)"}}"#.utf8),
          status: HTTPStatus(code: 400, reason: "x"))
      }, key: .environment("REMOTE_TEST_KEY_4")
    ) { expert, _ in
      let error = try #require(try await failure(expert))
      #expect("\(error)".contains("xxx") && !"\(error)".contains("sk-s"), "\(error)")
    }
  }

  /// An endpoint without plain completions may be good for chats.
  @Test func withoutCompletions() async throws {
    try await with({ request in
      request.path.hasSuffix("/chat/completions")
        ? Self.stream(Self.chunk("a", end: "stop"))
        : .json(
          Array(#"{"error":{"message":"a chat model"}}"#.utf8),
          status: HTTPStatus(code: 404, reason: "x"))
    }) { expert, _ in
      await #expect(throws: RemoteError.self) {
        try await answer(expert, .continuation("a"))
      }
      let chat = try await failure(expert)
      #expect(chat == nil)
    }
  }

  /// The end that the endpoint names is the end, whether it closes or not; and so is the limit, whether it heeds it
  /// or not.
  @Test func endsByItself() async throws {
    let (left, tell) = AsyncStream.makeStream(of: Void.self)
    try await with({ _ in
      .stream(contentType: "text/event-stream") { writer in
        try await writer.write(Self.chunk("whole", end: "stop") + "data: [DONE]\n\n")
        defer { tell.yield() }
        while true {
          try await writer.write(": more\n\n")
          try await Task.sleep(for: .milliseconds(5))
        }
      }
    }) { expert, _ in
      let found = try await answer(expert)
      #expect(found.text == "whole" && found.summary?.finishReason == .endToken)
      #expect(health.obstacle == nil)
      // And not for long is anything read behind it.
      for await _ in left { break }
    }
    try await with({ _ in
      .stream(contentType: "text/event-stream") { writer in
        while true { try await writer.write(Self.chunk(String(repeating: "endless ", count: 100))) }
      }
    }) { expert, _ in
      let found = try await answer(expert)
      #expect(found.summary?.finishReason == .maxTokens)
      #expect(found.text.utf8.count < 100_000)
    }
  }

  /// An answer that has ended is whole, also where the stream then breaks off.
  @Test func breaksOffBehindTheAnswer() async throws {
    try await with({ _ in
      .stream(contentType: "text/event-stream") { writer in
        try await writer.write(Self.chunk("whole", end: "length"))
        throw CancellationError()
      }
    }) { expert, _ in
      let found = try await answer(expert)
      #expect(found.text == "whole" && found.summary?.finishReason == .maxTokens)
      #expect(health.obstacle == nil)
    }
  }

  /// A refusal whose body does not come is a refusal.
  @Test func slowRefusals() async throws {
    try await with({ _ in
      var response = HTTPResponse.stream(contentType: "text/plain") { writer in
        while true {
          try await writer.write("x")
          try await Task.sleep(for: .milliseconds(50))
        }
      }
      response.status = HTTPStatus(code: 500, reason: "x")
      return response
    }) { expert, _ in
      guard case .failed(_, 500, _)? = try await failure(expert) else {
        Issue.record("no refusal")
        return
      }
    }
  }

  @Test func breaksOffLater() async throws {
    try await with({ _ in
      .stream(contentType: "text/event-stream") { writer in
        try await writer.write(Self.chunk("part"))
        throw CancellationError()
      }
    }) { expert, _ in
      let stream = try await expert.answer(.continuation("a"), parameters: SamplingParameters())
      var text = ""
      do {
        for try await event in stream { if case .text(let piece, _) = event { text += piece } }
        Issue.record("it ended well")
      } catch let error as RemoteError {
        guard case .unreachable = error else {
          Issue.record("\(error)")
          return
        }
      }
      #expect(text == "part")
      #expect(health.obstacle != nil)
    }
  }

  @Test func silenceEnds() async throws {
    try await with(
      { _ in
        try? await Task.sleep(for: .seconds(30))
        return .text("late")
      }, timeoutSeconds: 1
    ) { expert, _ in
      guard case .timedOut? = try await failure(expert) else {
        Issue.record("no time-out")
        return
      }
      #expect(health.obstacle?.hasPrefix("its endpoint did not answer in time") == true)
    }
  }

  /// Leaving an answer, or cancelling who waits for it, ends the request at the peer.
  @Test func leavingEndsTheRequest() async throws {
    let (left, tell) = AsyncStream.makeStream(of: Void.self)
    let (waits, tellWaits) = AsyncStream.makeStream(of: Void.self)
    let isFirst = Mutex(true)
    try await with({ _ in
      let sends = isFirst.withLock { first in
        defer { first = false }
        return first
      }
      return .stream(contentType: "text/event-stream") { writer in
        defer { tell.yield() }
        while true {
          try await writer.write(sends ? Self.chunk("more ") : ": wait\n\n")
          if !sends { tellWaits.yield() }
          try await Task.sleep(for: .milliseconds(2))
        }
      }
    }) { expert, _ in
      do {
        let stream = try await expert.answer(.continuation("a"), parameters: SamplingParameters())
        for try await event in stream { if case .text = event { break } }
      }
      for await _ in left { break }
      let task = Task {
        _ = try await expert.answer(.continuation("a"), parameters: SamplingParameters())
      }
      for await _ in waits { break }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      for await _ in left { break }
      #expect(health.obstacle == nil, "who leaves says nothing against the endpoint")
    }
  }

  @Test func goesInNoCircle() async throws {
    try await with({ _ in Self.stream(Self.chunk("a", end: "stop")) }) { expert, seen in
      try await RemoteExpert.$hops.withValue(RemoteExpert.maximumHops) {
        guard case .unsupported? = try await failure(expert) else {
          Issue.record("it is passed on")
          return
        }
      }
      #expect(seen.count == 0)
      try await RemoteExpert.$hops.withValue(2) { _ = try await answer(expert) }
      #expect(seen.last?.headers[RemoteExpert.hopsHeader] == "3")
    }
  }

  /// The loss of a text, from an endpoint that tells what each of its tokens has.
  @Test func lossOfAGivenText() async throws {
    try await with(
      { request in
        let body = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any]
        let prompt = body?["prompt"] as? String ?? ""
        // Tokens of two characters; the last one is made, not given.
        let offsets = Array(stride(from: 0, through: prompt.unicodeScalars.count, by: 2))
        let logprobs = offsets.indices.map { $0 == 0 ? "null" : "-\($0)" }
        let text = String(
          decoding: (try? JSONEncoder().encode(prompt + "!!")) ?? Data(), as: UTF8.self)
        return .json(
          Array(
            "{\"choices\":[{\"text\":\(text),\"logprobs\":{\"token_logprobs\":[\(logprobs.joined(separator: ","))],\"text_offset\":\(offsets)}}]}"
              .utf8))
      },
      fields: [
        .init(name: "temperature", json: nil), .init(name: "user", json: Array("\"me\"".utf8)),
        .init(name: "echo", json: Array("false".utf8)),
      ]
    ) { expert, seen in
      // Six characters: tokens 1 and 2 count, with 1 and 2 nats; four characters of them, five bytes.
      let loss = try await expert.loss(prompt: "abcdeé", answer: nil)
      #expect(abs(loss - 3 / (log(2) * 5)) < 1e-12)
      #expect(seen.last?.path == "/v1/completions")
      #expect(seen.body?["echo"] as? Bool == true)
      #expect(seen.body?["temperature"] == nil && seen.body?["user"] as? String == "me")
      #expect(seen.body?["stream"] as? Bool == false)
      // "ab", an empty line, "cdef": tokens 2 and 3 are the answer's.
      let answer = try await expert.loss(prompt: "ab", answer: "cdef")
      #expect(abs(answer - 5 / (log(2) * 4)) < 1e-12)
      // A border within a token: its answer's part is not counted, nor are its bytes.
      let across = try await expert.loss(prompt: "abc", answer: "def")
      #expect(abs(across - 3 / (log(2) * 2)) < 1e-12)
    }
  }

  @Test(arguments: [
    "", "{}", #"{"choices":[]}"#, #"{"choices":[{"text":"abcd"}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":null}]}"#,
    #"{"choices":[{"text":"other","logprobs":{"token_logprobs":[-1],"text_offset":[0]}}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":{"token_logprobs":[-1],"text_offset":[0,1]}}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":{"token_logprobs":[null],"text_offset":[0]}}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":{"token_logprobs":["x"],"text_offset":[0]}}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":{"token_logprobs":[-1],"text_offset":[-5]}}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":{"token_logprobs":[-1],"text_offset":[9999999]}}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":{"token_logprobs":[5],"text_offset":[0]}}]}"#,
    #"{"choices":[{"text":"abcd","logprobs":{"token_logprobs":[-1e999],"text_offset":[0]}}]}"#,
  ])
  func noLoss(body: String) async throws {
    try await with({ _ in .json(Array(body.utf8)) }) { expert, _ in
      await #expect(throws: RemoteError.self) { try await expert.loss(prompt: "abcd", answer: nil) }
    }
  }

  /// Its tokens are another vocabulary's: what is asked of them is refused, and nothing sent.
  @Test func noLogprobsOfAnswers() async throws {
    try await with({ _ in Self.stream(Self.chunk("a", end: "stop")) }) { expert, seen in
      var parameters = SamplingParameters()
      parameters.logprobs = 1
      await #expect(throws: RemoteError.self) {
        _ = try await expert.answer(.continuation("a"), parameters: parameters)
      }
      await #expect(throws: RemoteError.self) {
        _ = try await expert.scorePrompt(.continuation("a"), alternatives: 0)
      }
      #expect(seen.count == 0)
    }
  }

  @Test func withoutItsKey() async throws {
    try await with(
      { _ in Self.stream(Self.chunk("a", end: "stop")) }, key: .environment("NO_SUCH_KEY")
    ) { expert, seen in
      guard case .resting? = try await failure(expert) else {
        Issue.record("it is asked without")
        return
      }
      #expect(seen.count == 0)
    }
  }

  @Test func endsWithTheLibrary() async throws {
    try await with({ _ in
      .stream(contentType: "text/event-stream") { writer in
        while true {
          try await writer.write(Self.chunk("more "))
          try await Task.sleep(for: .milliseconds(2))
        }
      }
    }) { expert, _ in
      let stream = try await expert.answer(.continuation("a"), parameters: SamplingParameters())
      await expert.shutDown(finishing: false)
      await #expect(throws: (any Error).self) { for try await _ in stream {} }
      await #expect(throws: GenerationError.shutDown) {
        _ = try await expert.answer(.continuation("a"), parameters: SamplingParameters())
      }
    }
  }
}
