import Foundation
import Library
import ModelFiles
import Testing

/// Experts come into a models folder and leave it.
@Suite struct ExpertInstallerTests {
  private let models: TemporaryFolder

  init() throws { models = try TemporaryFolder() }

  private var installer: ExpertInstaller { ExpertInstaller(directory: models.path) }
  private static let smollm = Models.smolLM + "/SmolLM2-135M-Instruct.Q4_1.gguf"

  @Test func aModelIsAddedAsItsFileSays() throws {
    var details = ExpertInstaller.Details()
    details.id = "mine"
    details.description = "Mine: #1, \"quoted\""
    details.domains = ["code", "yes"]
    let manifest = try installer.add(Self.smollm, details: details, transfer: .link)
    #expect(manifest.card.id == "mine")
    #expect(manifest.card.totalParameters == 134_515_008)
    #expect(manifest.card.contextLength == 8192)
    #expect(manifest.card.description == "Mine: #1, \"quoted\"")
    #expect(manifest.card.domains == ["code", "yes"])
    #expect(FileManager.default.fileExists(atPath: manifest.modelPath))
    #expect(throws: LibraryError.self) {
      try installer.add(Self.smollm, details: details, transfer: .link)
    }
    try installer.remove("mine")
    #expect(try FileManager.default.contentsOfDirectory(atPath: models.path) == [])
    #expect(FileManager.default.fileExists(atPath: Self.smollm), "a link's file stays")
  }

  /// As in a download cache, where names are links to files beside them.
  @Test func aCopyIsOfTheFileBehindALink() throws {
    let cache = models.path + "/cache/snapshot"
    try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: models.path + "/cache/blob", withDestinationPath: Self.smollm)
    try FileManager.default.createSymbolicLink(
      atPath: cache + "/mine.gguf", withDestinationPath: "../blob")
    let manifest = try installer.add(cache + "/mine.gguf", details: .init(), transfer: .copy)
    try FileManager.default.removeItem(atPath: models.path + "/cache")
    #expect(manifest.card.id == "mine")
    let type = try FileManager.default.attributesOfItem(atPath: manifest.modelPath)[.type]
    #expect(type as? FileAttributeType == .typeRegular)
    #expect(try GGUFFile(path: manifest.modelPath).tensorNames.count == 272)
  }

  /// `scripts/fixtures/gguf_parts.py` made it.
  private static let parts = URL(filePath: Models.directory).deletingLastPathComponent()
    .appending(path: "Tests/ModelFilesTests/Fixtures/tiny-llama-parts").path

  @Test func theFirstPartBringsTheOthers() throws {
    let names = (1...3).map { "tiny-llama-0000\($0)-of-00003.gguf" }
    let manifest = try installer.add(
      Self.parts + "/" + names[0], details: .init(), transfer: .copy)
    #expect(manifest.card.id == "tiny-llama" && manifest.file == names[0])
    #expect(manifest.neededFiles == names.map { manifest.folder + "/" + $0 })
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: manifest.folder).sorted()
        == ["expert.yaml"] + names)
    let whole = ModelFacts(try GGUFFile(path: Self.parts + "/whole.gguf"))
    #expect(manifest.card.totalParameters == whole.totalParameters)
    let revision = try manifest.revision()

    // Another part changes what it is, and one that is missing is in the way.
    let last = manifest.folder + "/" + names[2]
    try (Data(contentsOf: URL(filePath: last)) + [0]).write(to: URL(filePath: last))
    #expect(try manifest.revision() != revision)
    let library = ExpertLibrary(manifests: [manifest]) { manifest throws(LibraryError) in
      throw .unloadable(expert: manifest.card.id, problem: "not asked for")
    }
    #expect(library.obstacle(to: manifest) == nil)
    try FileManager.default.removeItem(atPath: last)
    #expect(library.obstacle(to: manifest)?.contains(names[2]) == true)

    // Another part than the first is none to begin with, in a card neither.
    var details = ExpertInstaller.Details()
    details.id = "second"
    let other = details
    let problem = #expect(throws: LibraryError.self) {
      try installer.add(Self.parts + "/" + names[1], details: other, transfer: .link)
    }
    #expect(problem.map { "\($0)".contains(names[0]) } == true)
    try models.write("id: second\nfile: \(names[1])\n", to: "second/expert.yaml")
    let card = #expect(throws: LibraryError.self) {
      try ExpertManifest.load(folder: models.path + "/second")
    }
    #expect(card.map { "\($0)".contains("names part 2 of 3; '\(names[0])'") } == true)
  }

  @Test(arguments: ["../outside", "a/b", "", "auto", "."]) func hostileIDs(id: String) throws {
    var details = ExpertInstaller.Details()
    details.id = id
    #expect(throws: LibraryError.self) {
      try installer.add(Self.smollm, details: details, transfer: .link)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: models.path) == [])
  }

  @Test func whatIsNoModelLeavesNothing() throws {
    try models.write("not a model", to: "elsewhere/some.gguf")
    try models.write("{}", to: "elsewhere/adapter_config.json")
    for path in ["some.gguf", "missing.gguf", ""] {
      #expect(throws: LibraryError.self) {
        try installer.add(
          models.path + "/elsewhere/" + path, details: .init(), transfer: .copy)
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: models.path) == ["elsewhere"])
    #expect(throws: LibraryError.unknownExpert(id: "none", known: [])) {
      try installer.remove("none")
    }
  }

  @Test func factsOfAFile() throws {
    let facts = ModelFacts(try GGUFFile(path: Self.smollm))
    #expect(facts.architecture == "llama")
    #expect(facts.layers == 30 && facts.width == 576 && facts.keyValueHeads == 3)
    #expect(facts.totalParameters == facts.activeParameters)
    #expect(facts.experts == nil && facts.hasChatTemplate)
    #expect(facts.types.reduce(0) { $0 + $1.tensors } == 272)
  }

  /// A token reads one row of Gemma 4's table of what tokens mean to layers.
  @Test func whatIsLookedUpIsNotActive() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent(
        "TransformerTests/Fixtures/tiny-gemma4-small.gguf"
      ).path
    let facts = ModelFacts(try GGUFFile(path: path))
    #expect(facts.totalParameters - facts.activeParameters == 96 * 8 * 16)
  }
}
