import Foundation
import Testing

/// Hugging Face checkpoints as experts: added by the command line, answering over HTTP.
@Suite(.serialized) struct CheckpointExpertTests {
  private func json(_ value: Any) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
  }

  @Test func aFolderIsInspectedAddedAndAnswers() async throws {
    let models = try ModelsFolder()
    for name in ["tiny-mixtral", "tiny-llama"] {
      let folder = ModelsFolder.checkpoint(name)
      let inspected = try await Command.thalamus(
        "experts", "inspect", folder, "--models", models.path, "--json")
      #expect(inspected.status == 0, "\(inspected.errors)")
      let facts = JSON(try JSONSerialization.jsonObject(with: Data(inspected.output.utf8)))
      #expect(facts["model"]["architecture"].string == "llama")
      #expect(facts["model"]["tokenizer"].string == "tokenizer.json")
      let added = try await Command.thalamus("experts", "add", folder, "--models", models.path)
      #expect(added.status == 0, "\(added.errors)")
    }
    let listed = try await Command.thalamus("experts", "list", "--models", models.path)
    #expect(listed.output.split(separator: "\n").count == 2 && !listed.output.contains("missing"))
    let inspected = try await Command.thalamus(
      "experts", "inspect", "tiny-mixtral", "--models", models.path)
    #expect(inspected.status == 0 && inspected.output.contains("4, 2 active a token"))

    let server = try await models.serve()
    let answers = try ModelsFolder.referenceAnswers()
    for name in ["tiny-mixtral", "tiny-llama"] {
      let answer = answers[name]
      let body: [String: Any] = [
        "model": name, "temperature": 0, "max_tokens": answer["answer"].array.count,
        "messages": answer["messages"].value ?? [],
      ]
      let reply = try await server.post("/v1/chat/completions", json(body))
      #expect(reply.status == 200, "\(reply.text)")
      let choice = try reply.json["choices"][0]
      #expect(choice["message"]["content"].string == answer["text"].string)
      #expect(try reply.json["usage"]["prompt_tokens"].int == answer["prompt"].array.count)
    }
  }

  /// A GGUF model in several files, which gguf's own writer cut: the first brings the others.
  @Test func aModelInPartsIsAddedAndAnswers() async throws {
    let models = try ModelsFolder()
    let folder = Binary.packageRoot.appending(
      path: "Tests/ModelFilesTests/Fixtures/tiny-llama-parts"
    ).path
    let wrong = try await Command.thalamus(
      "experts", "add", folder + "/tiny-llama-00002-of-00003.gguf", "--models", models.path)
    #expect(wrong.status != 0 && wrong.errors.contains("tiny-llama-00001-of-00003.gguf"))
    let added = try await Command.thalamus(
      "experts", "add", folder + "/tiny-llama-00001-of-00003.gguf", "--models", models.path)
    #expect(added.status == 0, "\(added.errors)")
    let inspected = try await Command.thalamus(
      "experts", "inspect", "tiny-llama", "--models", models.path)
    #expect(inspected.status == 0 && inspected.output.contains("vocabulary        439"))

    let server = try await models.serve()
    let answer = try ModelsFolder.referenceAnswers()["tiny-llama"]
    let body: [String: Any] = [
      "model": "tiny-llama", "temperature": 0, "max_tokens": answer["answer"].array.count,
      "messages": answer["messages"].value ?? [],
    ]
    let reply = try await server.post("/v1/chat/completions", json(body))
    #expect(reply.status == 200, "\(reply.text)")
    #expect(try reply.json["choices"][0]["message"]["content"].string == answer["text"].string)
    #expect(try reply.json["usage"]["prompt_tokens"].int == answer["prompt"].array.count)
    let size = try await server.get("/api/tags").json["models"].array
      .first { $0["name"].string?.hasPrefix("tiny-llama") == true }
    #expect(size?["size"].int == 99_200)
  }

  /// What the gates of a mixture of experts did is in `usage` and in the metrics.
  @Test func usageSaysWhatTheGatesDid() async throws {
    let models = try ModelsFolder()
    for name in ["tiny-mixtral", "tiny-llama"] {
      let added = try await Command.thalamus(
        "experts", "add", ModelsFolder.checkpoint(name), "--models", models.path, "--link")
      #expect(added.status == 0, "\(added.errors)")
    }
    let server = try await models.serve()
    func answer(_ model: String, _ fields: [String: Any]) async throws -> Reply {
      let body: [String: Any] = [
        "model": model, "temperature": 0, "max_tokens": 5,
        "messages": [["role": "user", "content": "What is the law?"]],
      ]
      return try await server.post("/v1/chat/completions", json(body.merging(fields) { $1 }))
    }

    let plain = try await answer("tiny-mixtral", [:])
    let usage = try plain.json["usage"]
    #expect(usage["active_experts"]["mean"].double == 2)
    #expect(usage["active_experts"]["maximum"].int == 2)
    #expect(usage["expert_shares"].value == nil, "only on request")

    let shared = try await answer("tiny-mixtral", ["expert_shares": true, "seed": 3])
    let shares = try shared.json["usage"]["expert_shares"].array
    #expect(shares.count == 2 && shares.allSatisfy { $0.array.count == 4 })
    for layer in shares {
      let sum = layer.array.reduce(0) { $0 + ($1.double ?? .nan) }
      #expect(abs(sum - 1) < 1e-3, "shares of a layer's choices: \(layer.array.map(\.double))")
    }

    let one = try await answer("tiny-mixtral", ["experts_k": 1, "expert_shares": true])
    #expect(try one.json["usage"]["active_experts"]["mean"].double == 1)
    #expect(try one.json["usage"]["active_experts"]["maximum"].int == 1)
    #expect(
      try one.json["choices"][0]["message"]["content"].string
        != plain.json["choices"][0]["message"]["content"].string, "half the experts, another text")

    let many = try await answer("tiny-mixtral", ["experts_k": 3])
    #expect(many.status == 400, "\(many.text)")
    #expect(try many.json["error"]["message"].string?.contains("experts_k") == true)
    let none = try await answer("tiny-llama", ["experts_k": 1])
    #expect(none.status == 400, "\(none.text)")
    let dense = try await answer("tiny-llama", ["expert_shares": true])
    #expect(dense.status == 200)
    #expect(try dense.json["usage"]["active_experts"].value == nil)

    // A stream's last chunk has the same.
    let stream = try await answer(
      "tiny-mixtral", ["stream": true, "stream_options": ["include_usage": true]])
    #expect(stream.text.contains("\"active_experts\""))

    let metrics = try await server.get("/metrics").text
    func value(_ name: String, _ labels: String) throws -> Double {
      let line = try #require(
        metrics.split(separator: "\n").first { $0.hasPrefix("\(name){\(labels)}") },
        "\(name){\(labels)} in \(metrics)")
      return try #require(Double(line.split(separator: " ").last ?? ""))
    }
    let expert = "expert=\"tiny-mixtral\""
    let choices = try value("thalamus_gate_choices_total", expert)
    let active = try value("thalamus_gate_active_total", expert)
    #expect(
      choices > 0 && active > choices && active < 2 * choices, "one answer had one, the rest two")
    #expect(!metrics.contains("thalamus_gate_choices_total{expert=\"tiny-llama\"}"))
  }

  /// Measuring a new expert on the router's prompts makes the router know it.
  @Test func addingWithMeasureTrainsTheRouterAgain() async throws {
    let models = try ModelsFolder()
    let database = models.path + "/decisions.sqlite"
    _ = try await Command.thalamus(
      "experts", "add", ModelsFolder.checkpoint("tiny-llama"), "--models", models.path)
    // The router's prompts, with losses of the expert that is there.
    let router = models.path + "/router"
    try FileManager.default.createDirectory(atPath: router, withIntermediateDirectories: true)
    let topics = ["law", "code", "maths", "music", "birds", "steam", "bread", "rivers"]
    let lines = try (0..<48).map { index in
      let topic = topics[index % topics.count]
      return try json([
        "id": "\(index)", "domain": topic, "split": index % 4 == 3 ? "heldout" : "train",
        "prompt": "Say what number \(index) has to do with \(topic), and why.",
        "losses": ["tiny-llama": 5 + Double(index % 5) / 10],
      ])
    }
    try Data((lines.joined(separator: "\n") + "\n").utf8)
      .write(to: URL(filePath: router + "/outcomes.jsonl"))

    // Its gates' number of active experts is a feature of the router as well.
    let configuration = models.path + "/thalamus.yaml"
    try Data("router:\n  gate_feature: tiny-mixtral\n".utf8)
      .write(to: URL(filePath: configuration))
    let added = try await Command.thalamus(
      "experts", "add", ModelsFolder.checkpoint("tiny-mixtral"), "--measure", "--models",
      models.path, "--database", database, "--config", configuration)
    #expect(added.status == 0, "\(added.errors)\n\(added.output)")

    let rows = try String(contentsOfFile: router + "/outcomes.jsonl", encoding: .utf8)
      .split(separator: "\n").map { JSON(try JSONSerialization.jsonObject(with: Data($0.utf8))) }
    #expect(rows.count == 48)
    for row in rows {
      #expect((row["losses"]["tiny-llama"].double ?? 0) >= 5, "what was known stays")
      let loss = try #require(row["losses"]["tiny-mixtral"].double)
      #expect(loss > 0 && loss < 100)
      #expect(row["active_experts"]["tiny-mixtral"].double == 2)
      #expect(row["active_experts"].keys == ["tiny-mixtral"], "the other has no gates")
    }
    let manifest = JSON(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(filePath: router + "/ridge/router.json"))))
    #expect(
      manifest["experts"].array.compactMap(\.string).sorted() == ["tiny-llama", "tiny-mixtral"],
      "\(manifest)")
    #expect(manifest["gate_expert"].string == "tiny-mixtral")

    let server = try await models.serve(arguments: ["--config", configuration])
    // The first decisions go without the number while the mixture is still being loaded.
    var decision = JSON(nil)
    for _ in 0..<200 {
      let reply = try await server.post(
        "/route", json(["prompt": "Say what number 9 has to do with birds.", "generate": false]))
      #expect(reply.status == 200, "\(reply.text)")
      decision = try reply.json["decision"]
      if decision["active_experts"].double != nil { break }
      try await Task.sleep(for: .milliseconds(100))
    }
    let predicted = decision["experts"].array
    #expect(predicted.count == 2 && predicted.allSatisfy { $0["predicted_loss"].double != nil })
    #expect(decision["active_experts"].double == 2)

    // With the feature off, the router does without, and the mixture is not asked.
    let plain = try await models.serve()
    let without = try await plain.post(
      "/route", json(["prompt": "Say what number 9 has to do with birds.", "generate": false]))
    #expect(without.status == 200, "\(without.text)")
    #expect(try without.json["decision"]["active_experts"].value == nil)
  }
}
