import Foundation
import Generation
import Library
import Testing

/// Experts that add an adapter to another expert's model, here SmolLM2.
@Suite(.serialized) struct AdapterExpertTests {
  /// A models folder with the real base, and adapters on it.
  private func models(_ adapters: [String: Float]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/smollm2-135m", withDestinationPath: Models.smolLM)
    for (name, value) in adapters {
      try folder.write(
        "id: \(name)\nbase: smollm2-135m\nadapter: .\n", to: "\(name)/expert.yaml")
      try folder.writeAdapter(value, to: name)
    }
    return folder
  }

  private func manifest(_ id: String, in folder: TemporaryFolder) throws -> ExpertManifest {
    let manifests = try ExpertLibrary.manifests(in: folder.path)
    return try #require(manifests.first { $0.card.id == id })
  }

  private static let text = "The thalamus relays what the senses report to the cortex."

  @Test func theBaseIsResidentOnce() async throws {
    let folder = try models(["one": 0.05, "two": 0.08])
    let loader = try Models.loader()
    let one = try await loader.load(manifest("one", in: folder))
    let base = try await loader.load(manifest("smollm2-135m", in: folder))
    let two = try await loader.load(manifest("two", in: folder))
    #expect(one.decoder === base.decoder && two.decoder === base.decoder)
    #expect(base.adapter == nil && one.adapter !== two.adapter)
    #expect(one.card.kind == .localAdapters)
    var losses: [Double] = []
    for expert in [base, one, two] {
      losses.append(try await expert.loss(prompt: Self.text, answer: nil))
    }
    #expect(Set(losses).count == 3, "each expert has its own loss: \(losses)")

    // The base's end is not that of the others.
    await base.shutDown(finishing: false)
    await #expect(throws: GenerationError.shutDown) {
      _ = try await base.loss(prompt: Self.text, answer: nil)
    }
    await base.shutDown(finishing: false)
    #expect(try await one.loss(prompt: Self.text, answer: nil) == losses[1])
    let again = try await loader.load(manifest("smollm2-135m", in: folder))
    #expect(again.decoder === one.decoder)
    #expect(try await again.loss(prompt: Self.text, answer: nil) == losses[0])
    await one.shutDown(finishing: true)
    await two.shutDown(finishing: true)
    #expect(try await again.loss(prompt: Self.text, answer: nil) == losses[0])
    await again.shutDown(finishing: true)

    // With the last one the model has ended; the next makes a new one.
    let fresh = try await loader.load(manifest("two", in: folder))
    #expect(fresh.decoder !== base.decoder)
    #expect(try await fresh.loss(prompt: Self.text, answer: nil) == losses[2])
  }

  @Test func answersCarryTheAdapter() async throws {
    // Strong enough to change a greedy answer whatever the last digits of the logits are.
    let folder = try models(["one": 0.3])
    let loader = try Models.loader()
    var parameters = SamplingParameters(maxTokens: 12)
    parameters.temperature = 0
    var texts: [String] = []
    for id in ["smollm2-135m", "one", "smollm2-135m", "one"] {
      let expert = try await loader.load(manifest(id, in: folder))
      var text = ""
      for try await event in try await expert.answer(
        .continuation(Self.text), parameters: parameters)
      {
        if case .text(let piece, _) = event { text += piece }
      }
      texts.append(text)
    }
    #expect(texts[0] == texts[2] && texts[1] == texts[3])
    #expect(texts[0] != texts[1])
  }

  /// One adapter by its expert's id, one by its path; a gate of zeros gives each a half.
  @Test func aMixtureSharesItsAdapters() async throws {
    let folder = try models(["one": 0.05, "two": 0.08])
    try folder.write("id: mix\nbase: smollm2-135m\nmixture: .\n", to: "mix/expert.yaml")
    func describe(_ adapters: String) throws {
      try folder.write(
        """
        {"version": 1, "adapters": [\(adapters)], "modules": ["down_proj"],
         "gates": {"mlp": {"selection": {"kind": "all"}}}}
        """, to: "mix/mixture.json")
    }
    try folder.writeTensors([("layers.7.mlp.weight", [2, 576])], 0, to: "mix/gate.safetensors")
    try describe("\"one\", \"../two\"")
    let loader = try Models.loader()
    let mix = try await loader.load(manifest("mix", in: folder))
    let one = try await loader.load(manifest("one", in: folder))
    let two = try await loader.load(manifest("two", in: folder))
    #expect(mix.adapter?.experts.first === one.adapter?.experts.first)
    #expect(mix.adapter?.experts.last === two.adapter?.experts.first)
    var losses: [Double] = []
    for expert in [mix, one, two] {
      losses.append(try await expert.loss(prompt: Self.text, answer: nil))
    }
    #expect(Set(losses).count == 3)
    #expect(try await mix.meanActiveExperts(of: Self.text) == 2)
    #expect(try await one.meanActiveExperts(of: Self.text) == nil, "it has no gate")

    for entry in ["nobody", "smollm2-135m", "mix"] {
      try describe("\"one\", \"\(entry)\"")
      let broken = try manifest("mix", in: folder)
      await #expect {
        _ = try await loader.load(broken)
      } throws: { error in
        guard case .unloadable("mix", let problem)? = error as? LibraryError else { return false }
        return problem.contains(entry)
      }
    }
  }

  @Test func aBrokenAdapterIsTold() async throws {
    let folder = try models(["one": .nan])
    let loader = try Models.loader()
    let broken = try manifest("one", in: folder)
    await #expect {
      _ = try await loader.load(broken)
    } throws: { error in
      guard case .unloadable("one", let problem)? = error as? LibraryError else { return false }
      return problem.contains("lora_A")
    }
  }

  @Test func aMissingFileOfAdapterOrBaseIsTold() async throws {
    let folder = try models(["one": 0.05])
    let path = folder.path + "/one/adapter_model.safetensors"
    try FileManager.default.removeItem(atPath: path)
    let one = try manifest("one", in: folder)
    #expect(one.modelPath == path)
    try folder.write("id: bare\nfile: w.gguf", to: "bare/expert.yaml")
    try folder.write("id: on-bare\nbase: bare\nadapter: a.safetensors", to: "on-bare/expert.yaml")
    try folder.write("", to: "on-bare/a.safetensors")
    let library = ExpertLibrary(
      manifests: try ExpertLibrary.manifests(in: folder.path)
    ) { _ throws(LibraryError) in throw .unloadable(expert: "", problem: "") }
    await #expect(throws: LibraryError.missingFile(expert: "one", path: path)) {
      _ = try await library.expert("one")
    }
    let bare = folder.path + "/bare/w.gguf"
    await #expect(throws: LibraryError.missingFile(expert: "on-bare", path: bare)) {
      _ = try await library.expert("on-bare")
    }
    #expect(library.obstacle(to: try manifest("on-bare", in: folder))?.contains(bare) == true)
  }

  // MARK: - Files of an addition

  /// A made-up base, two adapters on it, and a mixture of these and of one in its own folder.
  private func additions() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("id: base\nfile: w.gguf\n", to: "base/expert.yaml")
    try folder.write("weights", to: "base/w.gguf")
    for name in ["one", "two"] {
      try folder.write("id: \(name)\nbase: base\nadapter: .\n", to: "\(name)/expert.yaml")
      try folder.writeAdapter(0.1, to: name)
    }
    try folder.write("id: mix\nbase: base\nmixture: .\n", to: "mix/expert.yaml")
    try folder.write(
      """
      {"version": 1, "adapters": ["one", "../two/adapter_model.safetensors", "own"],
       "gates": {"mlp": {"selection": {"kind": "all"}}}}
      """, to: "mix/mixture.json")
    try folder.writeTensors([("layers.7.mlp.weight", [3, 576])], 0, to: "mix/gate.safetensors")
    try folder.writeAdapter(0.2, to: "mix/own")
    return folder
  }

  /// What an addition computes is not in its own weights alone.
  @Test(arguments: [
    ("base/w.gguf", ["base", "mix", "one", "two"]), ("one/adapter_config.json", ["mix", "one"]),
    ("one/adapter_model.safetensors", ["mix", "one"]),
    ("two/adapter_config.json", ["mix", "two"]), ("mix/mixture.json", ["mix"]),
    ("mix/gate.safetensors", ["mix"]), ("mix/own/adapter_config.json", ["mix"]),
    ("mix/own/adapter_model.safetensors", ["mix"]), ("one/README.md", []),
  ])
  func aRevisionCoversAllThatIsComputed(file: String, changed: [String]) throws {
    let folder = try additions()
    let manifests = try ExpertLibrary.manifests(in: folder.path)
    let before = try manifests.map { try $0.revision() }
    #expect(Set(before.map(\.count)) == [16])
    #expect(try manifests.map { try $0.revision() } == before)
    let path = folder.path + "/" + file
    let old = FileManager.default.contents(atPath: path) ?? Data()
    try (old + Data(" ".utf8)).write(to: URL(filePath: path))
    let after = try manifests.map { try $0.revision() }
    let found = manifests.indices.filter { before[$0] != after[$0] }.map { manifests[$0].card.id }
    #expect(found == changed)
  }

  /// A base that is itself an addition, here to the one that is added to it, ends in an error.
  @Test func basesInARingHaveNoRevision() throws {
    let folder = try additions()
    try folder.write("id: one\nbase: two\nadapter: .\n", to: "one/expert.yaml")
    try folder.write("id: two\nbase: one\nadapter: .\n", to: "two/expert.yaml")
    let one = try ExpertManifest.load(folder: folder.path + "/one")
    #expect(throws: LibraryError.self) { try one.revision() }
  }

  @Test(arguments: [
    ("one/adapter_config.json", ["mix", "one"]), ("one/adapter_model.safetensors", ["mix", "one"]),
    ("two/adapter_model.safetensors", ["mix", "two"]), ("mix/mixture.json", ["mix"]),
    ("mix/gate.safetensors", ["mix"]), ("mix/own/adapter_config.json", ["mix"]),
    ("mix/own/adapter_model.safetensors", ["mix"]),
    ("base/w.gguf", ["base", "mix", "one", "two"]),
  ])
  func withoutAFileAnExpertIsUnavailable(file: String, experts: [String]) throws {
    let folder = try additions()
    let library = ExpertLibrary(
      manifests: try ExpertLibrary.manifests(in: folder.path)
    ) { _ throws(LibraryError) in throw .unloadable(expert: "", problem: "") }
    #expect(library.manifests.allSatisfy { library.obstacle(to: $0) == nil })
    try FileManager.default.removeItem(atPath: folder.path + "/" + file)
    let lacking = library.manifests.filter { library.obstacle(to: $0) != nil }
    #expect(lacking.map(\.card.id) == experts)
    for manifest in lacking {
      let name = file.split(separator: "/").last ?? ""
      #expect(library.obstacle(to: manifest)?.contains(name) == true)
    }
  }

  /// Files that were there are believed to be for a while, those that were not are looked for again.
  @Test func filesAreTrustedForAWhile() throws {
    let folder = try additions()
    let library = ExpertLibrary(
      manifests: try ExpertLibrary.manifests(in: folder.path), trust: .seconds(3600)
    ) { _ throws(LibraryError) in throw .unloadable(expert: "", problem: "") }
    let one = try library.manifest("one")
    let two = try library.manifest("two")
    let file = { (name: String) in folder.path + "/" + name + "/adapter_model.safetensors" }
    #expect(library.obstacle(to: one) == nil)
    for name in ["one", "two"] {
      try FileManager.default.moveItem(atPath: file(name), toPath: file(name) + ".away")
    }
    #expect(library.obstacle(to: one) == nil)
    #expect(library.obstacle(to: two) != nil)
    for name in ["one", "two"] {
      try FileManager.default.moveItem(atPath: file(name) + ".away", toPath: file(name))
    }
    #expect(library.obstacle(to: two) == nil)
  }

  @Test func aMixtureOfNobodyIsUnavailable() throws {
    let folder = try additions()
    try FileManager.default.removeItem(atPath: folder.path + "/one")
    let manifests = try ExpertLibrary.manifests(in: folder.path)
    let library = ExpertLibrary(manifests: manifests) { _ throws(LibraryError) in
      throw .unloadable(expert: "", problem: "")
    }
    let obstacle = library.obstacle(to: try manifest("mix", in: folder))
    #expect(obstacle?.contains(folder.path + "/mix/one/adapter_model.safetensors") == true)
  }

  @Test func anAdapterOfAMixtureStays() throws {
    let folder = try additions()
    let installer = ExpertInstaller(directory: folder.path)
    for id in ["one", "two"] {
      #expect(throws: LibraryError.notRemovable(expert: id, problem: "its adapter is part of mix"))
      {
        try installer.remove(id)
      }
    }
    try installer.remove("mix")
    for id in ["one", "two", "base"] { try installer.remove(id) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
  }

  @Test(arguments: [
    ("base: nobody\nadapter: .", "base 'nobody' is no expert of this library"),
    ("base: smollm-135m\nadapter: .", "did you mean 'smollm2-135m'?"),
    ("base: one\nadapter: .", "is itself added to a base"),
    ("base: two\nadapter: .", "is the expert itself"),
    ("base: smollm2-135m", "needs either adapter or mixture"),
    ("base: smollm2-135m\nadapter: .\nmixture: .", "needs either adapter or mixture"),
    ("base: smollm2-135m\nadapter: .\nfile: a.gguf", "file and base exclude each other"),
    ("base: smollm2-135m\nadapter: ../one", "must be a path inside the expert's folder"),
    ("base: smollm2-135m\nmixture: /etc/m.json", "must be a path inside the expert's folder"),
    ("base: smollm2-135m\nadapter: ''", "must be a path inside the expert's folder"),
    ("base: [a]\nadapter: .", "base"), ("file: a.gguf\nadapter: .", "adapter needs base"),
    ("file: a.gguf\nmixture: .", "mixture needs base"),
    ("file: a.gguf\nkind: local_adapters", "needs base"),
    ("base: smollm2-135m\nadapter: .\nkind: remote", "runs in this process"),
  ])
  func badCardsAreExplained(keys: String, message: String) throws {
    let folder = try models(["one": 0.05])
    try folder.write("id: two\n\(keys)\n", to: "two/expert.yaml")
    #expect {
      _ = try ExpertLibrary.manifests(in: folder.path)
    } throws: { error in
      guard case .invalidCard(let path, let problem)? = error as? LibraryError else { return false }
      return path.hasSuffix("/two/expert.yaml") && problem.contains(message)
    }
  }

  @Test(arguments: [
    ("adapter: .", "adapter_model.safetensors"), ("adapter: sub", "sub/adapter_model.safetensors"),
    ("adapter: sub/x.safetensors", "sub/x.safetensors"), ("mixture: .", "gate.safetensors"),
    ("mixture: mixture.json", "gate.safetensors"),
    ("mixture: m/mixture.json", "m/gate.safetensors"),
  ])
  func weightsLieBesideTheCard(key: String, file: String) throws {
    let folder = try models([:])
    try folder.write("id: two\nbase: smollm2-135m\n\(key)\n", to: "two/expert.yaml")
    #expect(try manifest("two", in: folder).file == file)
  }
}

extension TemporaryFolder {
  /// An adapter of rank 1 on one layer of SmolLM2, all of whose numbers are `value`.
  func writeAdapter(_ value: Float, to name: String) throws {
    try write(
      "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1}", to: "\(name)/adapter_config.json")
    let prefix = "base_model.model.model.layers.7.mlp.down_proj."
    try writeTensors(
      [(prefix + "lora_A.weight", [1, 1536]), (prefix + "lora_B.weight", [576, 1])], value,
      to: "\(name)/adapter_model.safetensors")
  }

  /// A safetensors file of float32 tensors, all of whose numbers are `value`.
  func writeTensors(
    _ tensors: [(name: String, shape: [Int])], _ value: Float, to name: String
  ) throws {
    var entries: [String] = []
    var offset = 0
    for (name, shape) in tensors {
      let bytes = shape.reduce(4, *)
      entries.append(
        "\"\(name)\": {\"dtype\": \"F32\", \"shape\": \(shape), "
          + "\"data_offsets\": [\(offset), \(offset + bytes)]}")
      offset += bytes
    }
    let header = Data("{\(entries.joined(separator: ", "))}".utf8)
    var file = Data()
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { file.append(contentsOf: $0) }
    file += header
    [Float](repeating: value, count: offset / 4).withUnsafeBytes { file.append(contentsOf: $0) }
    try file.write(to: URL(filePath: path + "/" + name))
  }
}
