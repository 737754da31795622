import Foundation
import Testing
import Thalamus

@Suite struct PromptFileTests {
  /// A failure's words, without the file's changing path.
  private struct Said: Error, CustomStringConvertible { let description: String }

  private func read(_ text: String) throws -> [PromptRow] {
    let folder = try TemporaryFolder()
    let path = folder.path + "/prompts.jsonl"
    try Data(text.utf8).write(to: URL(filePath: path))
    do {
      return try PromptFile.read(path)
    } catch let failure as PromptFile.Failure {
      throw Said(description: failure.description.replacing(path, with: "FILE"))
    }
  }

  @Test func rowsComeBackAsTheyWere() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/rows.jsonl"
    let rows = [
      PromptRow(
        id: "1", domain: "code", prompt: "a/b\n\"c\" é"),
      PromptRow(
        id: "2", domain: "maths", prompt: "1+1", answer: "2", split: .heldout,
        losses: ["x": 0.5, "y": 1.25]),
    ]
    try PromptFile.write(rows, to: path)
    let back = try PromptFile.read(path)
    #expect(back.map(\.id) == ["1", "2"])
    #expect(back.map(\.prompt) == rows.map(\.prompt))
    #expect(back.map(\.answer) == [nil, "2"])
    #expect(back.map(\.split) == [nil, .heldout])
    #expect(back[1].losses == ["x": 0.5, "y": 1.25])
    #expect(back.map(\.hash) == rows.map(\.hash))
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == 3)
  }

  @Test func emptyLinesAreSkippedAndCounted() throws {
    let row = #"{"id": "1", "domain": "d", "prompt": "p"}"#
    #expect(try read("\n\(row)\n\n\(row)").count == 2)
    #expect {
      try read("\(row)\n\n{\"id\": \"2\", \"domain\": \"d\", \"prompt\": \"\"}\n")
    } throws: { "\($0)" == "FILE:3: prompt is empty" }
  }

  @Test(arguments: [
    ("{\"id\": \"1\", \"domain\": \"d\"}", "FILE:1: "), ("not JSON", "FILE:1: "),
    ("{\"id\": 1, \"domain\": \"d\", \"prompt\": \"p\"}", "FILE:1: "),
    ("", "FILE: holds no prompts"), ("\n\n", "FILE: holds no prompts"),
  ])
  func badFileIsExplained(text: String, beginning: String) {
    #expect {
      try read(text)
    } throws: { "\($0)".hasPrefix(beginning) }
  }

  @Test func missingFile() {
    #expect {
      try PromptFile.read("/nowhere/prompts.jsonl")
    } throws: { "\($0)" == "/nowhere/prompts.jsonl: cannot be read" }
  }

  @Test func hashTellsPromptAndAnswerApart() {
    func row(_ prompt: String, _ answer: String?) -> PromptRow {
      PromptRow(id: "", domain: "", prompt: prompt, answer: answer)
    }
    #expect(row("ab", "c").hash != row("a", "bc").hash)
    #expect(row("a", "b").hash != row("a", nil).hash)
    #expect(row("a", nil).hash == row("a", nil).hash)
  }
}
