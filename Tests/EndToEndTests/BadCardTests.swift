import Foundation
import Testing

/// An expert that can't be used is left out, and the others answer.
@Suite struct BadCardTests {
  private func write(_ text: String, _ id: String, in models: ModelsFolder) throws {
    let folder = models.path + "/" + id
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: folder + "/expert.yaml"))
  }

  @Test func theServerGoesOnWithoutIt() async throws {
    let models = try ModelsFolder()
    let added = try await Command.thalamus(
      "experts", "add", ModelsFolder.checkpoint("tiny-llama"), "--models", models.path)
    #expect(added.status == 0, "\(added.errors)")
    try write("id: broken\nfile: [", "broken", in: models)
    try write("id: typo\nfiel: a.gguf", "typo", in: models)
    try write("id: child\nbase: broken\nadapter: .", "child", in: models)
    try write("id: gone\nfile: a.gguf", "gone", in: models)

    let server = try await RunningServer(
      environment: ["THALAMUS_MODELS_PRELOAD": "all", "THALAMUS_MODELS_ALIASES": "mine=broken"],
      arguments: ["--models", models.path])
    let log = server.standardError
    for line in [
      "expert broken is left out:", "expert typo is left out:",
      "unknown key 'fiel'; did you mean 'file'?", "expert child is left out:",
      "expert gone cannot answer:",
    ] {
      #expect(log.contains(line), "\(line) in \(log)")
    }

    let experts = try await server.get("/experts").json["experts"].array
    #expect(
      experts.compactMap { $0["id"].string } == ["broken", "child", "gone", "tiny-llama", "typo"])
    for expert in experts where expert["id"].string != "tiny-llama" {
      #expect(expert["state"].string == "unavailable")
      #expect(expert["obstacle"].string?.isEmpty == false)
    }
    let one = try await server.get("/experts/typo").json
    #expect(one["obstacle"].string?.contains("fiel") == true)
    let ready = try await server.get("/readyz").json["experts"]
    #expect(ready["broken"].string?.contains("broken/expert.yaml") == true)
    #expect(ready["tiny-llama"].string == "resident")

    func ask(_ model: String) async throws -> Reply {
      try await server.post(
        "/v1/completions", #"{"model": "\#(model)", "prompt": "Once", "max_tokens": 2}"#)
    }
    #expect(try await ask("tiny-llama").status == 200)
    for name in ["broken", "mine", "child"] {
      let refused = try await ask(name)
      #expect(refused.status == 503)
      #expect(try refused.json["error"]["code"].string == "model_unavailable")
      #expect(try refused.json["error"]["message"].string?.contains("expert.yaml") == true)
    }
    #expect(try await ask("nobody").status == 404)

    let listed = try await Command.thalamus("experts", "list", "--models", models.path)
    #expect(listed.status == 0, "\(listed.errors)")
    #expect(listed.output.contains("typo\tno usable card\t"))
    #expect(listed.output.contains("tiny-llama\tmodel"))
    let json = try await Command.thalamus("experts", "list", "--json", "--models", models.path)
    #expect(json.status == 0 && json.errors.contains("typo is left out"))
    let inspected = try await Command.thalamus(
      "experts", "inspect", "typo", "--models", models.path)
    #expect(inspected.status != 0 && inspected.errors.contains("did you mean 'file'"))
  }

  @Test func withoutAnyExpertThereIsNoStart() async throws {
    let models = try ModelsFolder()
    try write("id: typo\nfiel: a.gguf", "typo", in: models)
    await #expect {
      _ = try await models.serve()
    } throws: {
      "\($0)".contains("did you mean 'file'")
    }
  }
}
