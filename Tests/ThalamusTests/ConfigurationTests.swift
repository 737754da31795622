import Foundation
import Testing
import Thalamus

@Suite struct ConfigurationTests {
  static let packageRoot = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  @Test func shippedFileHoldsEveryKeyWithItsDefault() throws {
    let path = Self.packageRoot.appending(path: "config/thalamus.yaml").path
    let shipped = try Configuration.load(path: path, environment: [:])
    #expect(shipped == Configuration())
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for key in ConfigurationKey.all {
      let name = key.path.split(separator: ".").last.map(String.init) ?? ""
      #expect(text.contains("  \(name): "), "\(key.path) is not in the file")
    }
  }

  @Test func unknownKeyIsAnErrorThatSuggests() {
    var configuration = Configuration()
    #expect {
      try configuration.apply(yaml: "server:\n  prot: 1\n", source: "f.yaml")
    } throws: { error in
      "\(error)" == "f.yaml:2: unknown key 'server.prot'; did you mean 'server.port'?"
    }
    #expect {
      try configuration.apply(yaml: "sever:\n  port: 1\n", source: "f.yaml")
    } throws: { error in
      "\(error)" == "f.yaml:1: unknown key 'sever'; did you mean 'server'?"
    }
  }

  @Test(arguments: [
    ("server: {port: 70000}", "server.port is '70000', expected a whole number from 0 to 65535"),
    ("server: {port: [1]}", "server.port is a list, expected one value"),
    ("log: {prompts: keep}", "log.prompts is 'keep', expected one of store, hash, omit"),
    ("goals: {size: -1}", "goals.size is '-1', expected a number from 0 to 100"),
    ("goals: {size: .nan}", "goals.size is '.nan', expected a number from 0 to 100"),
    ("goals: {cost: 500}", "goals.cost is '500', expected a number from 0 to 100"),
    ("goals: 3", "goals must hold keys"),
    ("server: {host: {a: b}}", "server.host must be a value or a list"),
  ])
  func wrongValueIsNamed(yaml: String, message: String) {
    var configuration = Configuration()
    #expect {
      try configuration.apply(yaml: yaml, source: "f")
    } throws: { "\($0)" == "f: \(message)" }
  }

  @Test func brokenYAMLIsAnError() {
    var configuration = Configuration()
    #expect(throws: ConfigurationError.self) {
      try configuration.apply(yaml: "server: [", source: "f")
    }
  }

  @Test func emptyDocumentAndSectionsMeanDefaults() throws {
    var configuration = Configuration()
    try configuration.apply(yaml: "", source: "f")
    try configuration.apply(yaml: "server:\nmodels:\n", source: "f")
    #expect(configuration == Configuration())
  }

  @Test func environmentOverridesTheFile() throws {
    var configuration = Configuration()
    try configuration.apply(yaml: "server: {port: 1}", source: "f")
    try configuration.apply(environment: [
      "THALAMUS_SERVER_PORT": "9000", "THALAMUS_SERVER_API_KEYS": "a, b", "HOME": "/",
    ])
    #expect(configuration.server.port == 9000)
    #expect(configuration.server.apiKeys == ["a", "b"])
  }

  @Test(arguments: ["", " ", ","]) func anEmptyVariableLeavesTheKeysInForce(value: String) throws {
    var configuration = Configuration()
    try configuration.apply(
      yaml: "server: {api_keys: [secret]}\nconstraints: {licenses: [mit]}", source: "f")
    try configuration.apply(environment: [
      "THALAMUS_SERVER_API_KEYS": value, "THALAMUS_CONSTRAINTS_LICENSES": value,
    ])
    #expect(configuration.server.apiKeys == ["secret"])
    #expect(configuration.constraints.licenses == ["mit"])
  }

  /// Sockets take it for every interface.
  @Test func anEmptyHostIsAnError() {
    var configuration = Configuration()
    #expect(throws: ConfigurationError.self) {
      try configuration.apply(environment: ["THALAMUS_SERVER_HOST": ""])
    }
    #expect(throws: ConfigurationError.self) {
      try configuration.apply(yaml: "server:\n  host:\n", source: "f")
    }
    #expect(configuration.server.host == "127.0.0.1")
  }

  @Test func misspeltVariableIsAnError() {
    var configuration = Configuration()
    #expect {
      try configuration.apply(environment: ["THALAMUS_SERVER_PROT": "1"])
    } throws: {
      "\($0)" == "THALAMUS_SERVER_PROT: no such setting; did you mean THALAMUS_SERVER_PORT?"
    }
  }
}
