import Foundation
import Generation
import Library
import ModelFiles
import Testing
import Tokenization
import Transformer

/// Experts whose model is a folder as Hugging Face's libraries save it, against transformers; the
/// folders are made by `scripts/fixtures/checkpoint_experts.py`.
@Suite(.serialized) struct CheckpointExpertTests {
  static let names = ["tiny-mixtral", "tiny-llama"]

  private struct Answer: Decodable {
    struct Message: Decodable {
      let role: String
      let content: String
    }
    let messages: [Message]
    let prompt: [Int32]
    let answer: [Int32]
    let text: String
  }

  private func fixture(_ name: String) throws -> String {
    try #require(Bundle.module.resourceURL).appending(path: "Fixtures/\(name)").path
  }

  private func answer(_ name: String) throws -> Answer {
    let data = try Data(contentsOf: URL(filePath: fixture("answers.json")))
    return try #require(try JSONDecoder().decode([String: Answer].self, from: data)[name])
  }

  @Test(arguments: names) func answersAsTheReference(name: String) async throws {
    let models = try TemporaryFolder()
    let installer = ExpertInstaller(directory: models.path)
    let manifest = try installer.add(fixture(name), details: .init(), transfer: .link)
    #expect(manifest.card.id == name && manifest.checkpoint == ".")
    #expect(manifest.card.contextLength == 512)
    let answer = try answer(name)
    let expert = try await Models.loader().load(manifest)
    let input = ExpertInput.messages(
      answer.messages.map { ChatMessage(role: $0.role, content: $0.content) })
    #expect(try expert.promptTokens(input) == answer.prompt)
    var parameters = SamplingParameters(maxTokens: answer.answer.count)
    parameters.temperature = 0
    var text = ""
    for try await event in try await expert.answer(input, parameters: parameters) {
      if case .text(let piece, _) = event { text += piece }
    }
    #expect(text == answer.text)
    let tokenizer = try TokenizerLoader.tokenizer(named: name, modelsDirectory: models.path)
    #expect(tokenizer.decode(answer.answer) == answer.text)
  }

  /// An expert with these keys more in its card.
  private func expert(
    _ name: String, _ keys: String
  ) async throws -> (manifest: ExpertManifest, expert: LocalExpert, folder: TemporaryFolder) {
    let models = try TemporaryFolder()
    let added = try ExpertInstaller(directory: models.path)
      .add(fixture(name), details: .init(), transfer: .link)
    let card = try String(contentsOfFile: added.folder + "/expert.yaml", encoding: .utf8)
    try models.write(card + "\n" + keys, to: "\(name)/expert.yaml")
    let manifest = try ExpertManifest.load(folder: added.folder)
    #expect(try manifest.revision() != added.revision())
    return (manifest, try await Models.loader().load(manifest) as LocalExpert, models)
  }

  /// A card's gate replaces the file's: here another one in turn, of those that need more of a model
  /// than its scores.
  @Test(arguments: [
    ("{scores: random, probability: none, selection: {kind: top_k, k: 1}, weighting: one}", 1.0),
    ("{scores: cosine, selection: {kind: all}, bypass_expert: true}", nil),
    (
      "{selection: {kind: top_k, k: 3}, smoothing: {mix: 0.5, similarity: cosine, temperature: 0.5}}",
      3.0
    ),
    ("{selection: {kind: top_k, k: 3}, smoothing: {mix: 0.5, similarity: attention}}", 3.0),
  ])
  func aCardsGateReplacesTheFiles(gate: String, active: Double?) async throws {
    let (manifest, expert, folder) = try await expert("tiny-mixtral", "gate: \(gate)\n")
    defer { _ = folder }
    #expect(manifest.gating?.gate != nil)
    #expect(expert.decoder.gates.first?.hasBypassExpert == (active == nil))
    var summary: GenerationSummary?
    let input = ExpertInput.messages([ChatMessage(role: "user", content: "One two three")])
    for try await event in try await expert.answer(
      input, parameters: SamplingParameters(maxTokens: 3))
    {
      if case .finished(let found) = event { summary = found }
    }
    let statistics = try #require(summary?.gateStatistics)
    if let active {
      #expect(statistics.meanActive == active)
    } else {
      // The template's control tokens went past the three that are chosen among, the words did not.
      let bypassed = statistics.count(layer: 0, expert: 3)
      #expect(bypassed > 0 && bypassed < statistics.choiceCount / 2)
    }
  }

  /// Which tokens would go past the gate is not known of files without a control token.
  @Test func aBypassNeedsControlTokens() async throws {
    let models = try TemporaryFolder()
    let manifest = try ExpertInstaller(directory: models.path)
      .add(fixture("tiny-mixtral"), details: .init(), transfer: .copy)
    let card = try String(contentsOfFile: manifest.folder + "/expert.yaml", encoding: .utf8)
    let gate = "gate: {scores: cosine, selection: {kind: all}, bypass_expert: true}\n"
    try models.write(card + "\n" + gate, to: "tiny-mixtral/expert.yaml")
    let gated = try ExpertManifest.load(folder: manifest.folder)
    _ = try await Models.loader().load(gated)
    let tokenizer = try String(
      contentsOfFile: manifest.folder + "/tokenizer.json", encoding: .utf8)
    let plain = tokenizer.replacing(/"special":\s*true/, with: "\"special\": false")
    #expect(plain != tokenizer)
    try models.write(plain, to: "tiny-mixtral/tokenizer.json")
    let loader = try Models.loader()
    await #expect {
      _ = try await loader.load(gated)
    } throws: { error in
      guard case .unloadable(_, let problem)? = error as? LibraryError else { return false }
      return problem.contains("gate.bypass_expert")
    }
  }

  @Test func aDenseModelInSlices() async throws {
    let (_, expert, folder) = try await expert("tiny-llama", "feed_forward_slices: 2\n")
    defer { _ = folder }
    #expect(expert.decoder.gates.first?.expertCount == 2)
    await #expect(throws: LibraryError.self) {
      try await self.expert("tiny-llama", "feed_forward_slices: 7\n")
    }
    await #expect(throws: LibraryError.self) {
      try await self.expert("tiny-llama", "gate: {selection: {kind: all}}\n")
    }
  }

  @Test func keysAndValuesAsTheCardSays() async throws {
    let models = try TemporaryFolder()
    let added = try ExpertInstaller(directory: models.path)
      .add(fixture("tiny-llama"), details: .init(), transfer: .link)
    let plain = try await Models.loader().load(added)
    let card = try String(contentsOfFile: added.folder + "/expert.yaml", encoding: .utf8)
    try models.write(card + "\nkv_cache_type: int8\n", to: "tiny-llama/expert.yaml")
    let manifest = try ExpertManifest.load(folder: added.folder)
    #expect(manifest.keyValueType == .int8 && added.keyValueType == nil)
    let bytes = try await Models.loader().load(manifest)
    #expect(plain.keyValueType != .int8 && bytes.keyValueType == .int8)
    #expect(bytes.decoder.bytesPerBlock() < plain.decoder.bytesPerBlock())
  }

  @Test func theCardSaysWhatIsInTheFiles() throws {
    let models = try TemporaryFolder()
    let manifest = try ExpertInstaller(directory: models.path)
      .add(fixture("tiny-mixtral"), details: .init(), transfer: .copy)
    let facts = try ModelSource(manifest).facts()
    #expect(facts.architecture == "llama" && facts.experts == 4 && facts.activeExperts == 2)
    #expect(facts.layers == 2 && facts.width == 32 && facts.vocabulary == 400)
    #expect(facts.hasChatTemplate && facts.tokenizer == "tokenizer.json")
    // Half of the experts' three matrices of 48 by 32, of four experts in two layers.
    #expect(facts.totalParameters - facts.activeParameters == 2 * 2 * 3 * 48 * 32)
    #expect(manifest.card.totalParameters == facts.totalParameters)
    #expect(manifest.card.activeParameters == facts.activeParameters)
    #expect(facts.types.map(\.type) == ["BF16"])
    let names = try FileManager.default.contentsOfDirectory(atPath: manifest.folder)
    #expect(
      Set(names) == [
        "expert.yaml", "config.json", "tokenizer.json", "tokenizer_config.json",
        "generation_config.json", "model.safetensors",
      ])
  }

  @Test func aRevisionTellsWeightsApart() throws {
    let models = try TemporaryFolder()
    let installer = ExpertInstaller(directory: models.path)
    let one = try installer.add(fixture("tiny-mixtral"), details: .init(), transfer: .copy)
    var details = ExpertInstaller.Details()
    details.id = "two"
    let two = try installer.add(fixture("tiny-mixtral"), details: details, transfer: .copy)
    #expect(try one.revision() == two.revision())
    let file = try #require(FileHandle(forUpdatingAtPath: two.modelPath))
    try file.seek(toOffset: 100_000)
    try file.write(contentsOf: Data([1, 2, 3, 4]))
    try file.close()
    #expect(try one.revision() != two.revision())
  }

  @Test func aFolderInSeveralFilesIsTakenWhole() throws {
    let models = try TemporaryFolder()
    let source = try TemporaryFolder()
    for name in ["config.json", "tokenizer.json"] {
      try FileManager.default.copyItem(
        atPath: fixture("tiny-llama") + "/" + name, toPath: source.path + "/" + name)
    }
    try FileManager.default.copyItem(
      atPath: fixture("tiny-llama") + "/model.safetensors",
      toPath: source.path + "/model-00001-of-00001.safetensors")
    let weights = try SafetensorsFile(path: source.path + "/model-00001-of-00001.safetensors")
    let map = weights.tensorNames.map { "\"\($0)\": \"model-00001-of-00001.safetensors\"" }
    try source.write(
      "{\"weight_map\": {\(map.joined(separator: ", "))}}", to: "model.safetensors.index.json")
    var details = ExpertInstaller.Details()
    details.id = "sharded"
    let manifest = try ExpertInstaller(directory: models.path)
      .add(source.path, details: details, transfer: .copy)
    #expect(manifest.file == "model.safetensors.index.json")
    #expect(
      FileManager.default.fileExists(
        atPath: manifest.folder + "/model-00001-of-00001.safetensors"))
    #expect(try ModelSource(manifest).facts().totalParameters > 0)
    _ = try manifest.revision()
  }

  @Test(arguments: ["config.json", "tokenizer.json", "model.safetensors"])
  func aMissingOrBrokenFileIsNamed(file: String) async throws {
    let models = try TemporaryFolder()
    let source = try TemporaryFolder()
    let from = try fixture("tiny-llama")
    for name in try FileManager.default.contentsOfDirectory(atPath: from) {
      try FileManager.default.copyItem(
        atPath: from + "/" + name, toPath: source.path + "/" + name)
    }
    var details = ExpertInstaller.Details()
    details.id = "mine"
    let installer = ExpertInstaller(directory: models.path)
    let manifest = try installer.add(source.path, details: details, transfer: .link)
    let library = ExpertLibrary(manifests: [manifest]) { _ throws(LibraryError) in
      throw .unloadable(expert: "mine", problem: "reached")
    }
    #expect(library.obstacle(to: manifest) == nil)
    // What was linked to is broken, and then gone.
    try source.write("{", to: file)
    let loader = try Models.loader()
    await #expect {
      _ = try await loader.load(manifest)
    } throws: { error in
      guard case .unloadable("mine", let problem)? = error as? LibraryError else { return false }
      return problem.contains(file)
    }
    try FileManager.default.removeItem(atPath: source.path + "/" + file)
    #expect(library.obstacle(to: manifest)?.contains("mine/" + file) == true)
    details.id = "again"
    #expect(throws: LibraryError.self) {
      try installer.add(source.path, details: details, transfer: .copy)
    }
    #expect(!FileManager.default.fileExists(atPath: models.path + "/again"))
  }

  @Test(arguments: [
    ("checkpoint: ../x", "must be a path inside"), ("checkpoint: /etc", "must be a path inside"),
    ("checkpoint: .\nfile: a.gguf", "exclude each other"),
    ("checkpoint: .\nbase: b\nadapter: .", "exclude each other"),
    ("checkpoint: [a]", "checkpoint"), ("file: a.gguf\ngate: thor", "gate"),
    ("file: a.gguf\ngate: {selection: {kind: best}}", "kind"),
    ("file: a.gguf\ngate: {selections: {kind: all}}", "selections"),
    ("file: a.gguf\nfeed_forward_slices: many", "feed_forward_slices"),
    ("base: b\nadapter: .\ngate: {selection: {kind: all}}", "mixture.json"),
    ("base: b\nmixture: .\nfeed_forward_slices: 2", "mixture.json"),
    ("file: a.gguf\nkv_cache_type: q4", "known: f16, int8"),
    ("base: b\nadapter: .\nkv_cache_type: int8", "the cache is the base's"),
  ])
  func badCardsAreExplained(keys: String, message: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("id: two\n\(keys)\n", to: "two/expert.yaml")
    #expect {
      _ = try ExpertManifest.load(folder: folder.path + "/two")
    } throws: { error in
      guard case .invalidCard(_, let problem)? = error as? LibraryError else { return false }
      return problem.contains(message)
    }
  }

  @Test(arguments: [(".", "model.safetensors"), ("hf/x", "hf/x/model.safetensors")])
  func weightsLieInTheFolder(key: String, file: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("id: two\ncheckpoint: \(key)\n", to: "two/expert.yaml")
    let manifest = try ExpertManifest.load(folder: folder.path + "/two")
    #expect(manifest.file == file && manifest.modelPath == manifest.folder + "/" + file)
  }
}
