import Library
import Routing
import Testing

/// Cards of remote experts.
@Suite struct RemoteManifestTests {
  private func load(_ yaml: String) throws -> ExpertManifest {
    let folder = try TemporaryFolder()
    try folder.write(yaml, to: "far/expert.yaml")
    return try ExpertManifest.load(folder: folder.path + "/far")
  }

  @Test func wholeCard() throws {
    let manifest = try load(
      """
      id: far
      kind: remote
      endpoint: https://api.example.com/v1/
      model: big-1
      api_key_env: BIG_KEY
      max_tokens_field: max_completion_tokens
      timeout_seconds: 30
      expected_loss_ratio: 0.6
      prompt_price_usd_per_million_tokens: 0.15
      request:
        temperature: null
        reasoning_effort: low
        provider: {order: [a, b], allow_fallbacks: false}
        top_k: 20
        quoted: "20"
        half: 0.5
      """)
    let endpoint = try #require(manifest.endpoint)
    #expect(endpoint.url == "https://api.example.com/v1")
    #expect(endpoint.model == "big-1")
    #expect(endpoint.keySource == .environment("BIG_KEY"))
    #expect(endpoint.maxTokensField == "max_completion_tokens")
    #expect(endpoint.timeoutSeconds == 30)
    let fields = endpoint.bodyFields.sorted { $0.name < $1.name }.map { field in
      field.name + " " + (field.json.map { String(decoding: $0, as: UTF8.self) } ?? "left out")
    }
    #expect(
      fields == [
        "half 0.5", #"provider {"allow_fallbacks":false,"order":["a","b"]}"#, #"quoted "20""#,
        #"reasoning_effort "low""#, "temperature left out", "top_k 20",
      ])
    #expect(manifest.card.kind == .remote)
    #expect(manifest.card.runs == .leavesMachine)
    #expect(manifest.card.expectedLossRatio == 0.6)
    #expect(manifest.neededFiles.isEmpty)
    #expect(!manifest.canBeBase)
    #expect(try manifest.revision().count == 16)
  }

  /// Where the prompt goes follows from the address, unless the card says so.
  @Test func whereItRuns() throws {
    let near = "id: far\nkind: remote\nendpoint: http://localhost:11434/v1\n"
    #expect(try load(near).card.runs == .thisMachine)
    #expect(try load(near).endpoint?.model == "far")
    #expect(try load(near + "runs: leaves_machine\n").card.runs == .leavesMachine)
    let lan = "id: far\nkind: remote\nendpoint: http://192.168.1.9/v1\n"
    #expect(try load(lan).card.runs == .leavesMachine)
    #expect(try load(lan + "runs: this_machine\n").card.runs == .thisMachine)
  }

  @Test(arguments: [
    ("kind: remote", "kind remote needs endpoint, such as https://api.example.com/v1"),
    (
      "kind: remote\nendpoint: https://a.example\nfile: a.gguf",
      "file is for an expert that runs in this process"
    ),
    (
      "kind: remote\nendpoint: https://a.example\nbase: b",
      "base is for an expert that runs in this process"
    ),
    ("file: a.gguf\nendpoint: https://a.example", "endpoint is for an expert of kind remote"),
    ("file: a.gguf\napi_key_env: A", "api_key_env is for an expert of kind remote"),
    (
      "kind: remote\nendpoint: https://a.example\napi_key_env: sk-123",
      "api_key_env must be the name of an environment variable, not the key itself"
    ),
    (
      "kind: remote\nendpoint: https://a.example\napi_key_env: THALAMUS_KEY",
      "api_key_env: variables that begin with THALAMUS_ are this server's settings"
    ),
    (
      "kind: remote\nendpoint: https://a.example\napi_key_file: key",
      "api_key_file must be a path from the root"
    ),
    (
      "kind: remote\nendpoint: https://a.example\napi_key_file: /k\napi_key_env: K",
      "api_key_env and api_key_file exclude each other"
    ),
    (
      "kind: remote\nendpoint: https://a.example\nrequest: [a]",
      "request must hold fields of the request's body"
    ),
    (
      "kind: remote\nendpoint: https://a.example\nruns: in_process",
      "runs: \"in_process\" is not allowed; expected this_machine or leaves_machine for a remote"
    ),
    ("kind: remote\nendpont: https://a.example", "unknown key 'endpont'; did you mean 'endpoint'?"),
    (
      "kind: remote\nendpoint: https://a.example\nexpected_loss_ratio: 0",
      "expected_loss_ratio: \"0.0\" is not allowed"
    ),
  ])
  func badCards(yaml: String, problem: String) throws {
    do {
      _ = try load("id: far\n" + yaml)
      Issue.record("taken")
    } catch LibraryError.invalidCard(_, let found) {
      #expect(found.hasPrefix(problem), "\(found)")
    }
  }

  @Test func noBaseForAdapters() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "id: far\nkind: remote\nendpoint: https://a.example/v1\n", to: "far/expert.yaml")
    try folder.write("id: near\nbase: far\nadapter: .\n", to: "near/expert.yaml")
    #expect(throws: LibraryError.self) { try ExpertLibrary.manifests(in: folder.path) }
  }

  @Test func addedByURL() throws {
    let folder = try TemporaryFolder()
    let installer = ExpertInstaller(directory: folder.path)
    var endpoint = ExpertInstaller.EndpointDetails()
    endpoint.model = "org/Big 1"
    endpoint.keyVariable = "BIG_KEY"
    endpoint.promptPrice = 0.15
    endpoint.expectedLossRatio = 0.6
    endpoint.contextLength = 8192
    let added = try installer.add(
      endpoint: "https://api.example.com/v1", endpoint, details: .init())
    #expect(added.card.id == "org-big-1")
    #expect(added.endpoint?.model == "org/Big 1")
    #expect(added.card.promptPriceUSDPerMillionTokens == 0.15)
    #expect(added.card.contextLength == 8192)
    #expect(try ExpertLibrary.manifests(in: folder.path) == [added])
    // Twice, without a name, with a URL that is none.
    #expect(throws: LibraryError.self) {
      try installer.add(endpoint: "https://api.example.com/v1", endpoint, details: .init())
    }
    #expect(throws: LibraryError.self) {
      try installer.add(endpoint: "https://api.example.com/v1", .init(), details: .init())
    }
    var details = ExpertInstaller.Details()
    details.id = "other"
    #expect(throws: LibraryError.self) {
      try installer.add(endpoint: "https://", endpoint, details: details)
    }
    #expect(try ExpertLibrary.manifests(in: folder.path) == [added])
    try installer.remove("org-big-1")
    #expect(try ExpertLibrary.manifests(in: folder.path).isEmpty)
  }
}
