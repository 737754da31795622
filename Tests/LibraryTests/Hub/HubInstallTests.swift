import Foundation
import HTTP
import Library
import ModelFiles
import Testing

/// Experts from a hub of the test's own.
@Suite(.serialized) struct HubInstallTests {
  private let models: TemporaryFolder

  init() throws { models = try TemporaryFolder() }

  private func add(
    _ name: String, from hub: FakeHub, details: ExpertInstaller.Details = .init(),
    token: String? = nil
  ) async throws -> ExpertManifest {
    try await ExpertInstaller(directory: models.path).add(
      try #require(try HubReference(name)), from: try hub.client(token: token), details: details
    ) { _ in }
  }

  private func files(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  private static func checkpoint() throws -> [String: [UInt8]] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/tiny-llama")
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      files[name] = Array(try Data(contentsOf: folder.appending(path: name)))
    }
    files["README.md"] = Array("# A model".utf8)
    files["pytorch_model.bin"] = [1, 2, 3]
    files["onnx/model.onnx"] = [1, 2, 3]
    return files
  }

  @Test func aCheckpointHasItsFilesAndACard() async throws {
    let hub = try FakeHub(Self.checkpoint())
    var details = ExpertInstaller.Details()
    details.domains = ["law"]
    let manifest = try await add("hf:a/b", from: hub, details: details)
    #expect(manifest.card.id == "b" && manifest.card.domains == ["law"])
    #expect(manifest.card.license == "apache-2.0")
    #expect(manifest.card.released?.description == "2025-04-27")
    #expect(manifest.card.source == "\(hub.url)/a/b/tree/\(FakeHub.commit)")
    #expect(
      try files(in: manifest.folder) == [
        "chat_template.jinja", "config.json", "expert.yaml", "generation_config.json",
        "model.safetensors", "tokenizer.json", "tokenizer_config.json",
      ])
    #expect(hub.downloads.count == 6)
    #expect(try files(in: models.path + "/.cache/hub") == [])
    #expect(try ExpertLibrary.manifests(in: models.path) == [manifest])

    // What is there already is told before anything is fetched.
    await #expect(throws: LibraryError.self) { try await add("hf:a/b", from: hub) }
    #expect(hub.downloads.count == 6)
    // What the command says goes before what the hub says.
    details.id = "other"
    details.license = "MIT"
    details.released = .init("2020-01-02")
    let other = try await add("hf:a/b", from: hub, details: details)
    #expect(other.card.license == "MIT" && other.card.released?.description == "2020-01-02")
    await hub.stop()
  }

  /// A model that sees comes with what it sees by; of one that is not read here it is said.
  @Test func projectors() async throws {
    let folder = ImageExpertTests.fixtures.appending(path: "tiny-smolvlm")
    let model = Array(try Data(contentsOf: folder.appending(path: "model.gguf")))
    let projector = Array(try Data(contentsOf: folder.appending(path: "mmproj.gguf")))
    let hub = try FakeHub([
      "m-Q8_0.gguf": model, "mmproj-m-Q4_0.gguf": [1], "mmproj-m-Q8_0.gguf": projector,
      "mmproj-m-f16.gguf": [2], "other/mmproj-F32.gguf": [3],
    ])
    let manifest = try await add("hf:a/b:Q8_0", from: hub)
    #expect(manifest.projector == "mmproj-m-Q8_0.gguf" && manifest.card.readsImages)
    #expect(
      try files(in: manifest.folder) == ["expert.yaml", "m-Q8_0.gguf", "mmproj-m-Q8_0.gguf"])
    var details = ExpertInstaller.Details()
    details.id = "blind"
    details.readsText = true
    let blind = try await add("hf:a/b:Q8_0", from: hub, details: details)
    #expect(blind.projector == nil && hub.downloads.count == 3)
    #expect(try files(in: models.path + "/.cache/hub") == [])
    await hub.stop()

    let strange = try FakeHub(["m-Q8_0.gguf": model, "mmproj.gguf": model])
    details = ExpertInstaller.Details()
    details.id = "strange"
    var remarks: [String] = []
    let added = try await ExpertInstaller(directory: models.path).add(
      #require(try HubReference("hf:a/b")), from: strange.client(), details: details,
      remark: { remarks.append($0) }
    ) { _ in }
    #expect(added.projector == nil && !added.card.readsImages)
    #expect(remarks.count == 1 && remarks[0].contains("mmproj.gguf"), "\(remarks)")
    #expect(try files(in: added.folder) == ["expert.yaml", "m-Q8_0.gguf"])
    #expect(try files(in: models.path + "/.cache/hub") == [])
    await strange.stop()
  }

  @Test func allPartsOfAModelAreFetched() async throws {
    let parts = URL(filePath: Models.directory).deletingLastPathComponent()
      .appending(path: "Tests/ModelFilesTests/Fixtures/tiny-llama-parts")
    let names = (1...3).map { "tiny-llama-0000\($0)-of-00003.gguf" }
    var files: [String: [UInt8]] = [:]
    for name in names {
      files["Q8_0/m-Q8_0" + name.dropFirst("tiny-llama".count)] = Array(
        try Data(contentsOf: parts.appending(path: name)))
    }
    let hub = try FakeHub(files)
    let manifest = try await add("hf:a/b:Q8_0", from: hub)
    #expect(manifest.card.id == "m-q8_0" && manifest.card.name == "Tiny Llama")
    #expect(
      manifest.card.source
        == "\(hub.url)/a/b/blob/\(FakeHub.commit)/Q8_0/m-Q8_0-00001-of-00003.gguf")
    #expect(
      try self.files(in: manifest.folder) == ["expert.yaml"]
        + (1...3).map { "m-Q8_0-0000\($0)-of-00003.gguf" })
    #expect(try GGUFFile(path: manifest.modelPath).tensors.count == 21)
    #expect(try self.files(in: models.path + "/.cache/hub") == [])
    await hub.stop()

    // Parts of different models: nothing is left.
    files["Q8_0/m-Q8_0-00003-of-00003.gguf"] = files["Q8_0/m-Q8_0-00002-of-00003.gguf"]
    let mixed = try FakeHub(files)
    var details = ExpertInstaller.Details()
    details.id = "mixed"
    await #expect {
      _ = try await add("hf:a/b:Q8_0", from: mixed, details: details)
    } throws: {
      "\($0)".contains("split.no: is 1, expected 2")
    }
    #expect(try self.files(in: models.path) == [".cache", "m-q8_0"])
    #expect(try self.files(in: models.path + "/.cache/hub") == [])
    await mixed.stop()
  }

  @Test func whatIsNoModelLeavesNothing() async throws {
    let hub = try FakeHub(["m-Q8_0.gguf": [UInt8](repeating: 7, count: 1000)])
    await #expect(throws: LibraryError.self) { try await add("hf:a/b", from: hub) }
    #expect(hub.downloads.count == 1)
    #expect(try files(in: models.path) == [".cache"])
    #expect(try files(in: models.path + "/.cache/hub") == [])
    await hub.stop()
  }

  @Test func anAdapterNeedsItsBaseBeforeItIsFetched() async throws {
    let hub = try FakeHub([
      "adapter_config.json": [0x7B, 0x7D],
      "adapter_model.safetensors": [UInt8](repeating: 1, count: 100),
    ])
    var details = ExpertInstaller.Details()
    await #expect(throws: LibraryError.self) { try await add("hf:a/b", from: hub) }
    details.base = "none"
    await #expect(throws: LibraryError.unknownExpert(id: "none", known: [])) {
      try await add("hf:a/b", from: hub, details: details)
    }
    #expect(hub.downloads.isEmpty)
    await hub.stop()
    // Nor is a model added to another.
    let model = try FakeHub(Self.checkpoint())
    await #expect(throws: LibraryError.self) {
      try await add("hf:a/b", from: model, details: details)
    }
    #expect(model.downloads.isEmpty)
    await model.stop()
  }

  @Test func anIndexThatNamesWhatIsNotThere() async throws {
    var files = try Self.checkpoint()
    files["model.safetensors.index.json"] = Array(
      #"{"weight_map": {"a": "model-00001-of-00002.safetensors"}}"#.utf8)
    let hub = try FakeHub(files)
    await #expect {
      _ = try await add("hf:a/b", from: hub)
    } throws: {
      "\($0)".contains("model-00001-of-00002.safetensors")
    }
    // The index of a revision that failed is not read as another's.
    let whole = try FakeHub(Self.checkpoint())
    #expect(try await add("hf:a/b", from: whole).card.id == "b")
    await hub.stop()
    await whole.stop()
  }
}
