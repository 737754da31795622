import Foundation
import Logging
import Routing
import Testing
import Thalamus

@Suite struct KeyRingTests {
  private static let digest = SHA256.hex(of: "secret")

  private func parse(_ yaml: String, name: String = "alice") throws -> APIKey {
    try APIKey.parse(yaml: yaml, name: name, path: "keys/\(name).yaml")
  }

  @Test func whatAFileSays() throws {
    let key = try parse(
      """
      sha256: \(Self.digest)
      created: 2026-11-28
      admin: true
      budget_usd: 2.5
      budget_period: week
      requests_per_minute: 30
      constraints: {local_only: true, experts: [a, b], max_cost_usd: 0.01}
      """)
    #expect(
      key
        == APIKey(
          name: "alice", sha256: Self.digest, created: CalendarDate("2026-11-28"), isAdmin: true,
          constraints: Constraints(localOnly: true, maxCostUSD: 0.01, experts: ["a", "b"]),
          budget: Budget(usd: 2.5, period: .week), requestsPerMinute: 30))
    #expect(try parse(key.yaml()) == key)
    let bare = try parse("sha256: \(Self.digest)\n")
    #expect(bare == APIKey(name: "alice", sha256: Self.digest))
    #expect(try parse(bare.yaml()) == bare)
    #expect(
      try parse("sha256: \(Self.digest)\nbudget_usd: 0\n").budget == Budget(usd: 0, period: .month))
  }

  @Test(arguments: [
    ("", "must hold keys"), ("- a", "must hold keys"), ("admin: true", "'sha256' is missing"),
    ("sha256: abc", "64 hexadecimal digits"), ("sha256: [a", "line"),
    ("sha256: DIGEST\nbudgetusd: 1", "did you mean 'budget_usd'"),
    ("sha256: DIGEST\nbudget_usd: -1", "0 or more"),
    ("sha256: DIGEST\nbudget_usd: .nan", "0 or more"),
    ("sha256: DIGEST\nbudget_usd: much", "budget_usd"),
    ("sha256: DIGEST\nbudget_usd: 1\nbudget_period: year", "budget_period"),
    ("sha256: DIGEST\nbudget_period: day", "needs budget_usd"),
    ("sha256: DIGEST\nrequests_per_minute: 0", "from 1"),
    ("sha256: DIGEST\nconstraints: {local_onyl: true}", "did you mean local_only"),
    ("sha256: DIGEST\nconstraints: {experts: []}", "constraints.experts"),
    ("sha256: DIGEST\nadmin: 3", "admin"),
  ])
  func mistakes(yaml: String, says: String) {
    do {
      _ = try parse(yaml.replacing("DIGEST", with: Self.digest))
      Issue.record("\(yaml) was taken")
    } catch {
      #expect("\(error)".contains(says), "\(error)")
      #expect("\(error)".hasPrefix("keys/alice.yaml: "))
    }
  }

  @Test(arguments: ["Alice", "", ".alice", "a/b", "a b", String(repeating: "a", count: 65), "é"])
  func names(name: String) {
    #expect(throws: ConfigurationError.self) {
      try parse("sha256: \(Self.digest)", name: name)
    }
  }

  @Test func secretsDiffer() {
    let secrets = (0..<100).map { _ in APIKey.random() }
    #expect(Set(secrets).count == 100)
    for secret in secrets {
      #expect(secret.wholeMatch(of: /thal-[A-Za-z0-9_-]{43}/) != nil, "\(secret)")
    }
  }

  // MARK: The folder

  private func folder(_ temporary: TemporaryFolder, named: Bool = false) throws -> KeyFolder {
    var configuration = Configuration()
    configuration.log.database = temporary.path + "/log.sqlite"
    if named { configuration.server.keysDirectory = temporary.path + "/keys" }
    return try #require(KeyFolder(configuration))
  }

  private func makeRing(_ folder: KeyFolder?) throws -> KeyRing {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try KeyRing(folder: folder, logger: logger, pause: .zero)
  }

  private func key(_ name: String, _ secret: String) -> APIKey {
    APIKey(name: name, sha256: SHA256.hex(of: secret))
  }

  @Test func whereKeysAre() throws {
    var configuration = Configuration()
    #expect(KeyFolder(configuration)?.path.hasSuffix("data/keys") == true)
    #expect(KeyFolder(configuration)?.isRequired == false)
    configuration.log.database = ""
    #expect(KeyFolder(configuration) == nil)
    configuration.server.keysDirectory = "/etc/thalamus/keys"
    #expect(KeyFolder(configuration)?.path == "/etc/thalamus/keys")
    #expect(try makeRing(nil).asksForKeys == false)
  }

  @Test func addedAndRemovedWhileItRuns() throws {
    let temporary = try TemporaryFolder()
    let folder = try folder(temporary)
    let ring = try makeRing(folder)
    #expect(!ring.asksForKeys)
    try folder.add(key("alice", "one"))
    #expect(ring.asksForKeys)
    #expect(ring.key(Array("one".utf8))?.name == "alice")
    #expect(ring.key(Array("two".utf8)) == nil)
    try folder.add(key("bob", "two"))
    #expect(ring.key(Array("two".utf8))?.name == "bob")
    #expect(ring.keys.map(\.name) == ["alice", "bob"])
    try folder.remove("alice")
    #expect(ring.key(Array("one".utf8)) == nil)
    try folder.remove("bob")
    #expect(ring.keys.isEmpty)
    // Nobody may come rather than everybody.
    #expect(ring.asksForKeys)
    #expect(throws: ConfigurationError.self) { try folder.remove("bob") }
    #expect(throws: ConfigurationError.self) { try folder.remove("../log") }
  }

  @Test func onlyItsOwnerReadsIt() throws {
    let temporary = try TemporaryFolder()
    let folder = try folder(temporary)
    try folder.add(key("alice", "one"))
    for (path, mode) in [("/keys", 0o700), ("/keys/alice.yaml", 0o600)] {
      let attributes = try FileManager.default.attributesOfItem(atPath: temporary.path + path)
      #expect(attributes[.posixPermissions] as? Int == mode)
    }
    #expect(throws: ConfigurationError.self) { try folder.add(key("alice", "other")) }
    #expect(try folder.read().keys.map(\.sha256) == [SHA256.hex(of: "one")])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["alice.yaml"])
  }

  /// A file that can't be read opens the server to nobody, and shuts nobody else out.
  @Test func brokenFiles() throws {
    let temporary = try TemporaryFolder()
    let folder = try folder(temporary)
    try temporary.write("sha256: nothing", to: "keys/broken.yaml")
    try temporary.write("no key", to: "keys/README.md")
    try temporary.write("sha256: nothing", to: "keys/..data/alice.yaml")
    let ring = try makeRing(folder)
    #expect(ring.asksForKeys && ring.keys.isEmpty)
    try folder.add(key("alice", "one"))
    try folder.add(key("zoe", "one"))
    let contents = try folder.read()
    #expect(contents.keys.map(\.name) == ["alice"])
    #expect(contents.problems.count == 2)
    #expect(contents.problems.last?.message == "is the same key as alice's")
    #expect(ring.key(Array("one".utf8))?.name == "alice")
  }

  /// Where a folder is named it must be there; if it goes while the server runs, what was known holds.
  @Test func aFolderThatIsGone() throws {
    let temporary = try TemporaryFolder()
    let folder = try folder(temporary, named: true)
    #expect(throws: ConfigurationError.self) { try makeRing(folder) }
    try folder.add(key("alice", "one"))
    let ring = try makeRing(folder)
    try FileManager.default.removeItem(atPath: folder.path)
    #expect(ring.asksForKeys)
    #expect(ring.key(Array("one".utf8))?.name == "alice")
  }
}
