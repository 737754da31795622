import Foundation
import Testing

/// `thalamus keys` beside a running server.
@Suite struct KeysCommandTests {
  /// Asks again until the answer is as expected: a folder's change counts within a second.
  private func status(
    _ server: RunningServer, _ key: String?, becomes expected: Int
  ) async throws -> Int {
    var status = 0
    for _ in 0..<200 {
      let headers = key.map { ["Authorization": "Bearer \($0)"] } ?? [:]
      status = try await server.get("/experts", headers: headers).status
      if status == expected { break }
      try await Task.sleep(for: .milliseconds(50))
    }
    return status
  }

  @Test func addedUsedListedRemoved() async throws {
    let models = try ModelsFolder()
    let added = try await Command.thalamus(
      "experts", "add", ModelsFolder.checkpoint("tiny-llama"), "--id", "tiny", "--models",
      models.path)
    #expect(added.status == 0, "\(added.errors)")
    let server = try await models.serve()
    let database = ["--database", server.database.path]
    func keys(_ arguments: String...) async throws -> Command.Outcome {
      try await Command.run(Binary.url, ["keys"] + arguments + database)
    }
    #expect(try await status(server, nil, becomes: 200) == 200)

    let made = try await keys(
      "add", "alice", "--budget-usd", "2.5", "--budget-period", "week", "--requests-per-minute",
      "600")
    #expect(made.status == 0, "\(made.errors)")
    let secret = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(secret.hasPrefix("thal-"))
    #expect(try await status(server, nil, becomes: 401) == 401)
    #expect(try await status(server, secret, becomes: 200) == 200)
    let reply = try await server.post(
      "/v1/completions", #"{"model": "tiny", "prompt": "Once", "max_tokens": 2}"#,
      headers: ["Authorization": "Bearer \(secret)"])
    #expect(reply.status == 200, "\(reply.text)")

    #expect(try await keys("add", "alice").status != 0)
    #expect(try await keys("add", "Bob").errors.contains("can't be a key's name"))
    #expect(try await keys("add", "bob", "--budget-period", "day").status != 0)
    #expect(try await keys("add", "bob", "--budget-usd", "-1").status != 0)
    let list = try await keys("list")
    #expect(
      list.output.hasPrefix(
        "alice\t$0.0 of $2.5 a week\t600 requests a minute\tno limits\town decisions"),
      "\(list.output)")
    #expect(!list.output.contains(secret))
    #expect(list.output.split(separator: "\n").count == 1)

    #expect(try await keys("remove", "alice").status == 0)
    #expect(try await keys("remove", "alice").status != 0)
    // Nobody may come now, rather than everybody.
    #expect(try await status(server, secret, becomes: 401) == 401)
    #expect(try await status(server, nil, becomes: 401) == 401)
  }
}
