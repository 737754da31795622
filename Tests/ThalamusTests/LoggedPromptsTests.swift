import DecisionLog
import Foundation
import Routing
import Testing
import Thalamus
import Tokenization

/// Prompts of the log, as routers are trained on them.
@Suite struct LoggedPromptsTests {
  private static func record(
    _ input: PromptInput, at time: Int64, _ ids: DecisionIDGenerator, localOnly: Bool = false
  ) -> DecisionRecord {
    let prompt = PreparedPrompt(input)
    return DecisionRecord(
      id: ids.next(), timeMilliseconds: time, promptText: prompt.loggedText,
      promptSHA256: SHA256.hex(of: prompt.routingText), promptBytes: prompt.loggedText.utf8.count,
      expert: "e", strategy: "knn",
      constraintsJSON: localOnly
        ? #"[{"constraint":"max_parameters","value":"true"},{"constraint":"local_only","value":"true"}]"#
        : #"[{"constraint":"local_only","value":"false"}]"#,
      decisionMilliseconds: 1)
  }

  @Test func eachIsFoundOnceWithItsLimit() async throws {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "thalamus-logged-\(UUID().uuidString).sqlite").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let log = DecisionLog(.init(path: path))
    let ids = DecisionIDGenerator()
    let long = String(repeating: "word ", count: 20_000)
    let chat = PromptInput.messages([
      ChatMessage(role: "system", content: "Be kind."), ChatMessage(role: "user", content: "Hello"),
      ChatMessage(role: "assistant", content: "Hi"), ChatMessage(role: "user", content: "And?"),
    ])
    let twisted = PromptInput.messages([
      ChatMessage(role: "user", content: "a\nuser: b"), ChatMessage(role: "user", content: "c"),
    ])
    // Whoever asked in private once did not mean it to go out another time.
    try log.append(Self.record(.prompt("Private"), at: 10, ids, localOnly: true))
    for (time, input) in [
      (20, .prompt("Private")), (30, .prompt("Public [Flag: cheapest]")), (40, chat),
      (50, .prompt(long)), (60, twisted), (70, .continuation("Once upon")),
    ] as [(Int64, PromptInput)] {
      try log.append(Self.record(input, at: time, ids))
    }
    let (rows, leftOut) = PromptRow.logged(try await log.prompts(limit: 10))
    #expect(rows.map(\.prompt) == ["Once upon", "And?\nHello", "Public", "Private"])
    #expect(rows.map(\.localOnly) == [nil, nil, nil, true])
    #expect(leftOut == 2 && Set(rows.map(\.id)).count == 4)
    #expect(try await log.prompts(sinceMilliseconds: 40, limit: 10).count == 4)
    #expect(try await log.prompts(limit: 2).count == 2)
    try await log.close()
  }
}
