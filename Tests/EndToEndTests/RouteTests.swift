import Foundation
import Testing

/// One server for the tests that do not end or disturb it.
enum SharedServer {
  static let task = Task {
    let server = try await RunningServer()
    server.endWithTheTests()
    return server
  }
  static func get() async throws -> RunningServer { try await task.value }
}

@Suite struct RouteTests {
  @Test(arguments: [
    "Natalia sold clips to 48 of her friends in April, and then half as many in May. How many clips did she sell in all?",
    "Write a Python function that returns the n-th Fibonacci number.",
    "A rotary steam engine comprising a cylinder, a piston and a sun-and-planet gear, whereby the said piston",
    "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Qual é a capital de Portugal?",
  ])
  func answersAndLogsTheDecision(prompt: String) async throws {
    let server = try await SharedServer.get()
    let body = try JSONSerialization.data(withJSONObject: [
      "prompt": prompt, "max_tokens": 24, "seed": 7,
    ])
    let reply = try await server.post("/route", String(decoding: body, as: UTF8.self))
    #expect(reply.status == 200, "\(reply.text)")
    let json = try reply.json
    let expert = try #require(json["expert"].string)
    let id = try #require(json["id"].string)
    #expect(json["completion"]["text"].string?.isEmpty == false)
    #expect(["stop", "length"].contains(json["completion"]["finish_reason"].string ?? ""))
    #expect((json["usage"]["completion_tokens"].int ?? 0) > 0)
    #expect(reply.headers["x-thalamus-expert"] == expert)
    #expect(reply.headers["x-thalamus-decision"] == id)

    // Weight 0 everywhere: the choice is the argmin of the predicted losses.
    let experts = json["decision"]["experts"].array
    #expect(experts.count >= 2)
    let best = experts.min {
      ($0["predicted_loss"].double ?? .infinity) < ($1["predicted_loss"].double ?? .infinity)
    }
    #expect(best?["expert"].string == expert)

    let row = try await server.logged(id)
    #expect(row["expert"].string == expert)
    #expect(row["status"].string == "completed")
    #expect(row["prompt"].string == prompt)
    #expect(row["completion_tokens"].int == json["usage"]["completion_tokens"].int)
  }

  @Test func decisionAloneGeneratesNothing() async throws {
    let server = try await SharedServer.get()
    let reply = try await server.post(
      "/route", #"{"prompt": "What is 12 times 12?", "generate": false}"#)
    let json = try reply.json
    #expect(reply.status == 200)
    #expect(json["completion"].value == nil)
    let row = try await server.logged(try #require(json["id"].string))
    #expect(row["status"].string == "decided")
  }

  @Test func flagInThePromptIsObeyedAndTakenOut() async throws {
    let server = try await SharedServer.get()
    let reply = try await server.post(
      "/route",
      #"{"prompt": "Bom dia! Como está? [Flag: size=100]", "generate": false}"#)
    let json = try reply.json
    #expect(json["expert"].string == "smollm2-135m")
    #expect(json["decision"]["flags"][0]["goal"].string == "size")
    #expect(json["decision"]["flags"][0]["source"].string == "prompt")
  }

  @Test func constraintsAreNeverWidened() async throws {
    let server = try await SharedServer.get()
    let small = try await server.post(
      "/route",
      #"{"prompt": "Olá", "generate": false, "constraints": {"max_parameters": 150000000}}"#)
    #expect(try small.json["expert"].string?.hasPrefix("smollm2-135m") == true)
    let none = try await server.post(
      "/route", #"{"prompt": "Olá", "generate": false, "constraints": {"max_parameters": 1000}}"#)
    #expect(none.status == 422)
    #expect(try none.json["error"]["code"].string == "no_eligible_expert")
  }

  @Test func streamBeginsWithTheDecision() async throws {
    let server = try await SharedServer.get()
    let reply = try await server.post(
      "/route", #"{"prompt": "Say hello.", "max_tokens": 8, "stream": true, "temperature": 0}"#)
    #expect(reply.headers["content-type"] == "text/event-stream")
    let events = reply.text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
    #expect(events.first?.hasPrefix("event: decision\n") == true)
    #expect(events.last?.hasPrefix("event: end\n") == true)
    #expect(events.contains { $0.hasPrefix("event: text\n") })

    // The same request unstreamed gives the same text.
    let whole = try await server.post(
      "/route", #"{"prompt": "Say hello.", "max_tokens": 8, "temperature": 0}"#)
    let streamed = events.filter { $0.hasPrefix("event: text\n") }.compactMap { event -> String? in
      guard let data = event.components(separatedBy: "data: ").last?.data(using: .utf8) else {
        return nil
      }
      return JSON(try? JSONSerialization.jsonObject(with: data))["text"].string
    }.joined()
    #expect(try whole.json["completion"]["text"].string == streamed)
  }

  @Test(arguments: [
    ("{", 400, "invalid_json"),
    ("{}", 400, "missing_field"),
    (#"{"prompt": ""}"#, 400, "invalid_value"),
    (#"{"prompt": 3}"#, 400, "invalid_type"),
    (#"{"prompt": "a", "messages": [{"role": "user", "content": "b"}]}"#, 400, "invalid_value"),
    (#"{"prompt": "a", "constraint": {}}"#, 400, "unknown_key"),
    (#"{"prompt": "a", "constraints": {"localonly": true}}"#, 400, "unknown_key"),
    (#"{"prompt": "a", "flags": {"size": -1}}"#, 400, "invalid_value"),
    (#"{"prompt": "a", "flags": {"weight": 1}}"#, 400, "unknown_key"),
    (#"{"prompt": "a", "strategy": "oracle"}"#, 400, "unknown_strategy"),
    (#"{"prompt": "a", "temperature": -1}"#, 400, "invalid_value"),
    (#"{"prompt": "a", "max_tokens": 0}"#, 400, "invalid_value"),
    (#"{"prompt": "a", "constraints": {"experts": ["gpt-9"]}}"#, 404, "model_not_found"),
  ])
  func errorsAreTyped(body: String, status: Int, code: String) async throws {
    let server = try await SharedServer.get()
    let reply = try await server.post("/route", body)
    #expect(reply.status == status, "\(reply.text)")
    let error = try reply.json["error"]
    #expect(error["code"].string == code, "\(reply.text)")
    #expect(error["message"].string?.isEmpty == false)
    #expect(error.keys == ["code", "message", "param", "type"])
  }

  @Test func promptBeyondTheContextIsRefusedWithNumbers() async throws {
    let server = try await SharedServer.get()
    let long = String(repeating: "word ", count: 40_000)
    let reply = try await server.post(
      "/route", #"{"prompt": "\#(long)", "constraints": {"experts": ["smollm2-135m"]}}"#)
    #expect(reply.status == 400, "\(reply.text)")
    #expect(try reply.json["error"]["code"].string == "context_length_exceeded")
    #expect(try reply.json["error"]["message"].string?.contains("8192") == true)
  }

  @Test func unknownPathAndMethod() async throws {
    let server = try await SharedServer.get()
    let missing = try await server.get("/nowhere")
    #expect(missing.status == 404)
    let wrong = try await server.get("/route")
    #expect(wrong.status == 405)
    #expect(wrong.headers["allow"]?.contains("POST") == true)
  }
}

extension RunningServer {
  /// The decision's row, once what came of it has reached the log.
  func logged(_ id: String) async throws -> JSON {
    for _ in 0..<1200 {
      let reply = try await get("/decisions/\(id)")
      if reply.status == 200 {
        let json = try reply.json
        if json["status"].string != "pending" { return json }
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    return JSON(nil)
  }
}
