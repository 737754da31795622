import Library
import Testing

@Suite struct ExpertManifestTests {
  /// Reads a card that lies in a folder called `tiny`.
  private func load(_ yaml: String) throws -> ExpertManifest {
    let folder = try TemporaryFolder()
    try folder.write(yaml, to: "tiny/expert.yaml")
    return try ExpertManifest.load(folder: folder.path + "/tiny")
  }

  /// What is said of a bad card.
  private func problem(_ yaml: String) throws -> String? {
    do {
      _ = try load(yaml)
      return nil
    } catch LibraryError.invalidCard(let path, let problem) {
      #expect(path.hasSuffix("/tiny/expert.yaml"))
      return problem
    }
  }

  @Test func goodCard() throws {
    let manifest = try load(
      """
      id: tiny
      name: Tiny
      file: weights/tiny.gguf
      chat_template: chatml
      total_parameters: 1000
      released: 2024-11-01
      license: MIT
      domains: [code, maths]
      context_length: 64
      """)
    #expect(manifest.card.id == "tiny")
    #expect(manifest.card.name == "Tiny")
    #expect(manifest.card.activeParameters == 1000)
    #expect(manifest.card.released?.description == "2024-11-01")
    #expect(manifest.card.domains == ["code", "maths"])
    #expect(manifest.card.contextLength == 64)
    #expect(manifest.file == "weights/tiny.gguf")
    #expect(manifest.modelPath == manifest.folder + "/weights/tiny.gguf")
    #expect(manifest.chatTemplate == "chatml")
  }

  @Test func leastCard() throws {
    let manifest = try load("id: tiny\nfile: a.gguf\n")
    #expect(manifest.card.name == "tiny")
    #expect(manifest.chatTemplate == nil)
  }

  @Test(arguments: [
    ("id: tiny\nfile: a\nlicence: MIT", "unknown key 'licence'; did you mean 'license'?"),
    (
      "id: tiny\nfile: a\nchat_templat: x",
      "unknown key 'chat_templat'; did you mean 'chat_template'?"
    ),
    ("file: a", "key 'id' is missing"),
    ("id: tiny", "key 'file' is missing"),
    ("id: other\nfile: a", "id 'other' must equal the folder's name, 'tiny'"),
    ("", "must hold keys such as id and file"),
    ("[id, file]", "must hold keys such as id and file"),
    ("just words", "must hold keys such as id and file"),
    (
      "id: tiny\nfile: a\nkind: magic",
      "kind: 'magic' is none of local, local_adapters, remote"
    ),
  ])
  func badCardIsExplained(yaml: String, message: String) throws {
    #expect(try problem(yaml) == message)
  }

  @Test(arguments: ["../a.gguf", "/etc/passwd", "sub/../../a.gguf", "''"])
  func fileOutsideTheFolderIsRefused(file: String) throws {
    let problem = try #require(try problem("id: tiny\nfile: \(file)"))
    #expect(problem.contains("must be a path inside the expert's folder"))
  }

  @Test(arguments: [
    ("total_parameters: many", "total_parameters"), ("domains: code", "domains"),
    ("released: soon", "released"), ("kind: magic", "kind"), ("file: [a]", "file"),
    ("total_parameters: 0", "total_parameters"), ("security_level: 2", "security_level"),
    ("context_length: -1", "context_length"), ("chat_template: [a]", "chat_template"),
    ("kind: remote\nruns: in_process", "runs"),
  ])
  func wrongValueNamesItsKey(line: String, key: String) throws {
    let yaml = "id: tiny\n" + (key == "file" ? "" : "file: a\n") + line
    let problem = try #require(try problem(yaml), "\(line) was taken")
    #expect(problem.contains(key))
  }

  @Test(arguments: ["id: [", "\tid: tiny", "id: tiny\nid: tiny\nfile: a", "id: 'tiny"])
  func brokenYAMLIsAnError(yaml: String) throws {
    #expect(try problem(yaml) != nil)
  }

  @Test func missingCard() throws {
    let folder = try TemporaryFolder()
    #expect(
      throws: LibraryError.invalidCard(
        path: folder.path + "/expert.yaml", problem: "cannot be read")
    ) { try ExpertManifest.load(folder: folder.path) }
  }

  @Test func shippedCardsAreGood() throws {
    let ids = try ExpertLibrary.manifests(in: Models.directory).map(\.card.id)
    #expect(ids.contains("gemma3-270m") && ids.contains("smollm2-135m"))
  }
}
