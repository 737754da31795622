import Library
import Testing

/// The cards of a whole models folder.
@Suite struct ManifestsTests {
  @Test func onlyFoldersWithACardCount() throws {
    let folder = try TemporaryFolder()
    try folder.write("id: b\nfile: b.gguf", to: "b/expert.yaml")
    try folder.write("id: a\nfile: a.gguf", to: "a/expert.yaml")
    try folder.write("id: encoder", to: "encoder/encoder.yaml")
    try folder.write("{}", to: "router/ridge/router.json")
    try folder.write("not a folder", to: "sources.json")
    let manifests = try ExpertLibrary.manifests(in: folder.path)
    #expect(manifests.map(\.card.id) == ["a", "b"])
  }

  @Test func oneBadCardIsAnError() throws {
    let folder = try TemporaryFolder()
    try folder.write("id: a\nfile: a.gguf", to: "a/expert.yaml")
    try folder.write("id: c\nfile: b.gguf", to: "b/expert.yaml")
    #expect(throws: LibraryError.self) { try ExpertLibrary.manifests(in: folder.path) }
  }

  @Test func missingFolder() {
    #expect(throws: LibraryError.unreadableFolder(path: "/nowhere/at/all")) {
      try ExpertLibrary.manifests(in: "/nowhere/at/all")
    }
  }
}
