import Foundation
import Library
import Routing
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

  @Test(arguments: [
    (#""losses": {"e": -5}"#, "losses.e is -5.0"),
    (#""losses": {"e": 1e300}"#, "losses.e is 1e+300"),
    (#""active_experts": {"m": -3.5}"#, "active_experts.m is -3.5"),
    (#""active_experts": {"m": 1e39}"#, "active_experts.m is 1e+39"),
  ])
  func numbersThatNobodyMeasured(field: String, message: String) {
    #expect {
      try read(#"{"id": "1", "domain": "d", "prompt": "p", \#(field)}"#)
    } throws: { error in "\(error)".contains("FILE:1: " + message) }
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

  @Test(arguments: [
    ("one two three", 2, "one two"), ("one  two\n\nthree", 3, "one two three"), ("", 3, ""),
    ("one", 3, "one"), ("  \n ", 3, ""),
    // White space in front takes nothing from them.
    (String(repeating: "\n", count: 80) + "one two", 2, "one two"), ("a b", .max, "a b"),
    // Eight characters a word at most, whatever a word is.
    ("丘特切夫" + String(repeating: "文", count: 40), 2, "丘特切夫" + String(repeating: "文", count: 12)),
  ])
  func firstWords(prompt: String, count: Int, expected: String) {
    #expect(PromptRow(id: "a", domain: "d", prompt: prompt).firstWords(count) == expected)
  }

  /// Openings have the losses of their prompts, and stay with them.
  @Test func trainingSeesOpenings() async throws {
    let fixture = try await ServiceFixture(router: false)
    let encoder = try await SentenceEncoder.load(
      folder: fixture.configuration.models.directory + "/minilm-l6-v2",
      pool: try LocalExpertLoader(ComputeOptions(fixture.configuration)).computePool)
    let long = (0..<40).map { "word\($0)" }.joined(separator: " ")
    let rows = [
      PromptRow(id: "a", domain: "d", prompt: long, losses: ["e": 1]),
      PromptRow(id: "b", domain: "d", prompt: "short", losses: ["e": 2]),
    ]
    let trainer = RouterTrainer(encoder: encoder)
    let examples = try await trainer.trainingExamples(rows)
    #expect(examples.map(\.losses) == [["e": 1], ["e": 2], ["e": 1]])
    #expect(examples.map(\.promptHash) == [rows[0].hash, rows[1].hash, rows[0].hash])
    let opening = try await trainer.examples(
      [PromptRow(id: "c", domain: "d", prompt: rows[0].firstWords(12))])
    #expect(examples[2].input.features.values == opening[0].input.features.values)
    for (a, b) in zip(examples[2].input.embedding, opening[0].input.embedding) {
      #expect(abs(a - b) < 1e-5)
    }
    let set = try TrainingSet(examples: examples)
    #expect(set.promptCount == 2)
    #expect(set.domainCounts == ["d": 2])
  }
}
