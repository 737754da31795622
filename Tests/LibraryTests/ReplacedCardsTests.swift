import Foundation
import Library
import Testing

/// Cards that change while experts are resident.
@Suite struct ReplacedCardsTests {
  private let folder: TemporaryFolder
  private let loader = FakeLoader()
  private let library: ExpertLibrary

  init() throws {
    folder = try TemporaryFolder()
    for id in ["base", "other", "gone"] {
      try folder.write("id: \(id)\nfile: w.gguf", to: "\(id)/expert.yaml")
      try folder.write("weights", to: "\(id)/w.gguf")
    }
    try folder.write("id: tuned\nbase: base\nadapter: .", to: "tuned/expert.yaml")
    try folder.write("{}", to: "tuned/adapter_config.json")
    try folder.write("weights", to: "tuned/adapter_model.safetensors")
    try folder.write(
      "id: far\nkind: remote\nendpoint: http://127.0.0.1:9/v1", to: "far/expert.yaml")
    let cards = try LibraryCards(directory: folder.path)
    let loader = loader
    library = ExpertLibrary(manifests: cards.manifests) { manifest throws(LibraryError) in
      try await loader.load(manifest)
    }
  }

  private func replace() async throws -> ExpertLibrary.Changes {
    await library.replace(try LibraryCards(directory: folder.path))
  }

  @Test func whatDidNotChangeStays() async throws {
    let before = try await library.expert("base")
    #expect(try await replace().isEmpty)
    #expect(try await library.expert("base") === before && loader.loads == 1)
  }

  @Test func newChangedAndGone() async throws {
    var before: [String: any Expert] = [:]
    for id in library.ids { before[id] = try await library.expert(id) }
    #expect(await library.resident == ["base", "other", "gone", "tuned", "far"])

    try folder.write("id: base\nfile: w.gguf\ncontext_length: 100", to: "base/expert.yaml")
    try folder.write("id: new\nfile: w.gguf", to: "new/expert.yaml")
    try folder.write("weights", to: "new/w.gguf")
    try FileManager.default.removeItem(atPath: folder.path + "/gone")
    let changes = try await replace()
    #expect(changes.added == ["new"] && changes.removed == ["gone"])
    #expect(changes.changed == ["base", "tuned"], "what stands on a base changes with it")
    #expect(library.ids == ["base", "far", "new", "other", "tuned"])
    #expect(await library.resident == ["other", "far"])

    await #expect(throws: LibraryError.unknownExpert(id: "gone", known: library.ids)) {
      try await library.expert("gone")
    }
    #expect(try await library.expert("base").card.contextLength == 100)
    for id in ["base", "tuned"] { #expect(try await library.expert(id) !== before[id]) }
    for id in ["other", "far"] { #expect(try await library.expert(id) === before[id]) }
    #expect(try await library.expert("new").card.id == "new")
    // Those that are no more finish their answers, and the others are not ended.
    for id in ["base", "tuned", "gone"] {
      guard let expert = before[id] as? FakeExpert else { continue }
      while expert.shutDowns.isEmpty { await Task.yield() }
      #expect(expert.shutDowns == [true])
    }
    #expect((before["other"] as? FakeExpert)?.shutDowns == [])
  }

  @Test func aCardThatCantBeUsedTakesItsExpertOut() async throws {
    _ = try await library.expert("other")
    try folder.write("id: other\nfiel: w.gguf", to: "other/expert.yaml")
    let changes = try await replace()
    #expect(changes.removed == ["other"])
    #expect(library.unusable["other"]?.contains("did you mean 'file'") == true)
    await #expect(throws: LibraryError.self) { try await library.expert("other") }
    // And mended, it is back.
    try folder.write("id: other\nfile: w.gguf", to: "other/expert.yaml")
    #expect(try await replace().added == ["other"])
    #expect(try await library.expert("other").card.id == "other")
  }

  /// A load that is under way when its card changes is not what later requests get.
  @Test func aCardThatChangesWhileItsExpertIsLoaded() async throws {
    let slow = FakeLoader(isOpen: false)
    let library = ExpertLibrary(
      manifests: try LibraryCards(directory: folder.path).manifests
    ) { manifest throws(LibraryError) in try await slow.load(manifest) }
    async let first = library.expert("base")
    while slow.loads == 0 { await Task.yield() }
    try folder.write("id: base\nfile: w.gguf\ncontext_length: 100", to: "base/expert.yaml")
    _ = await library.replace(try LibraryCards(directory: folder.path))
    async let second = library.expert("base")
    while slow.loads == 1 { await Task.yield() }
    slow.open()
    #expect(try await first.card.contextLength == nil)
    #expect(try await second.card.contextLength == 100)
    #expect(try await library.expert("base").card.contextLength == 100 && slow.loads == 2)
  }
}
