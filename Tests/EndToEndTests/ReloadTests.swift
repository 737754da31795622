import Foundation
import Testing

/// SIGHUP has a running server read the cards again.
@Suite struct ReloadTests {
  /// What the log says of the readings after the first `count`.
  private func reading(_ server: RunningServer, after count: Int) async throws -> String {
    server.send(signal: SIGHUP)
    for _ in 0..<600 {
      let lines = server.standardError.split(separator: "\n").filter {
        $0.contains("the experts were read again") || $0.contains("the experts stay as they are")
      }
      if lines.count > count { return String(lines[count]) }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw RunningServer.StartFailure(
      description: "SIGHUP was not followed: \(server.standardError)")
  }

  private func add(_ name: String, as id: String, to models: ModelsFolder) async throws {
    let added = try await Command.thalamus(
      "experts", "add", ModelsFolder.checkpoint(name), "--id", id, "--models", models.path)
    #expect(added.status == 0, "\(added.errors)")
  }

  private func card(_ id: String, in models: ModelsFolder) -> URL {
    URL(filePath: models.path + "/\(id)/expert.yaml")
  }

  @Test func newChangedAndRemovedExperts() async throws {
    let models = try ModelsFolder()
    for id in ["stays", "goes"] { try await add("tiny-llama", as: id, to: models) }
    let server = try await models.serve()
    func ask(_ model: String, _ tokens: Int = 2) async throws -> Reply {
      try await server.post(
        "/v1/completions",
        #"{"model": "\#(model)", "prompt": "Once", "temperature": 0, "max_tokens": \#(tokens)}"#)
    }
    func ids() async throws -> [String] {
      try await server.get("/experts").json["experts"].array.compactMap { $0["id"].string }
    }
    let answer = try await ask("stays").json["choices"][0]["text"].string
    #expect(try await ask("goes").status == 200)
    #expect(try await ask("comes").status == 404)
    #expect(try await reading(server, after: 0).contains("nothing has changed"))

    try await add("tiny-mixtral", as: "comes", to: models)
    try FileManager.default.removeItem(atPath: models.path + "/goes")
    let text = try String(contentsOf: card("stays", in: models), encoding: .utf8)
    let changed = text.replacing("context_length: 512", with: "context_length: 16")
    #expect(changed != text)
    try Data(changed.utf8).write(to: card("stays", in: models))
    let told = try await reading(server, after: 1)
    #expect(told.hasSuffix("new: comes; changed: stays; gone: goes"), "\(told)")
    #expect(try await ids() == ["comes", "stays"])
    #expect(try await ask("comes").status == 200)
    #expect(try await ask("goes").status == 404)
    #expect(try await ask("stays").json["choices"][0]["text"].string == answer)
    let cut = try await ask("stays", 200)
    #expect((try cut.json["usage"]["completion_tokens"].int ?? 99) < 16, "\(cut.text)")

    // A card that is broken takes its expert out, and no folder without any is followed.
    try Data("id: comes\nfiel: a".utf8).write(to: card("comes", in: models))
    #expect(try await reading(server, after: 2).hasSuffix("gone: comes"))
    #expect(try await server.get("/experts/comes").json["state"].string == "unavailable")
    #expect(try await ask("comes").status == 503)
    try Data("id: stays\nfiel: a".utf8).write(to: card("stays", in: models))
    #expect(
      try await reading(server, after: 3).contains("no card in the models folder can be used"))
    #expect(try await ask("stays").status == 200)
  }

  /// What an expert is answering goes on, whatever becomes of its card.
  @Test func answersGoOn() async throws {
    let models = try ModelsFolder()
    for name in ["smollm2-135m", "gemma3-270m"] {
      try FileManager.default.createSymbolicLink(
        atPath: models.path + "/" + name,
        withDestinationPath: Binary.packageRoot.appending(path: "models/\(name)").path)
    }
    let server = try await models.serve()
    let body =
      #"{"model": "smollm2-135m", "prompt": "Once", "temperature": 0, "max_tokens": 200, "logit_bias": {"0": -100, "2": -100}}"#
    let whole = try await server.post("/v1/completions", body)
    async let running = server.post("/v1/completions", body)
    // Until the second is under way.
    while try await !server.get("/decisions?limit=1").text.contains("pending") {
      try await Task.sleep(for: .milliseconds(10))
    }
    try FileManager.default.removeItem(atPath: models.path + "/smollm2-135m")
    #expect(try await reading(server, after: 0).hasSuffix("gone: smollm2-135m"))
    #expect(try await server.post("/v1/completions", body).status == 404)
    let reply = try await running
    #expect(reply.status == 200, "\(reply.text)")
    #expect(try reply.json["choices"][0]["text"].string == whole.json["choices"][0]["text"].string)
    #expect(try reply.json["usage"]["completion_tokens"].int == 200)
  }
}
