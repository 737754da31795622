import Foundation
import Testing

/// The official `openai` and `ollama` Python packages against the server: what people's programs use.
@Suite struct OpenAIClientTests {
  @Test(arguments: ["openai_client.py", "formats.py", "responses.py", "ollama_client.py"])
  func officialClientIsServed(script name: String) async throws {
    let server = try await SharedServer.get()
    let python = Binary.packageRoot.appending(path: ".venv-test/bin/python")
    try #require(
      FileManager.default.isExecutableFile(atPath: python.path),
      "`make client` installs the packages")
    let script = Binary.packageRoot.appending(
      path: "Tests/EndToEndTests/Clients/\(name)")
    let outcome = try await Command.run(python, [script.path, server.baseURL.absoluteString])
    #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.errors)")
    #expect(outcome.output.contains("all checks passed"))
  }
}
