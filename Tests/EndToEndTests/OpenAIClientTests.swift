import Foundation
import Testing

/// The official `openai`, `ollama` and `anthropic` Python packages against the server: what people's programs use.
@Suite struct OpenAIClientTests {
  @Test(arguments: ["openai_client.py", "formats.py", "responses.py", "openapi.py"])
  func officialClientIsServed(script name: String) async throws {
    try await run(name, [try await SharedServer.get()])
  }

  /// On a server of its own, since it lets a model go.
  @Test func ollamasClientIsServed() async throws {
    try await run("ollama_client.py", [try await RunningServer()])
  }

  @Test func anthropicsClientIsServed() async throws {
    let keyed = try await RunningServer(environment: [
      "THALAMUS_SERVER_API_KEYS": "one,two",
      "THALAMUS_MODELS_ALIASES": "claude-test=smollm2-135m",
    ])
    try await run("anthropic_client.py", [try await SharedServer.get(), keyed], ["two"])
  }

  private func run(
    _ name: String, _ servers: [RunningServer], _ arguments: [String] = []
  ) async throws {
    let python = Binary.packageRoot.appending(path: ".venv-test/bin/python")
    try #require(
      FileManager.default.isExecutableFile(atPath: python.path),
      "`make client` installs the packages")
    let script = Binary.packageRoot.appending(
      path: "Tests/EndToEndTests/Clients/\(name)")
    let outcome = try await Command.run(
      python, [script.path] + servers.map(\.baseURL.absoluteString) + arguments)
    #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.errors)")
    #expect(outcome.output.contains("all checks passed"))
  }
}
