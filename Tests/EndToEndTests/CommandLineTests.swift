import Foundation
import Testing

/// The command line is a contract: others' scripts read what it prints.
@Suite struct CommandLineTests {
  private func json(_ outcome: Command.Outcome) throws -> JSON {
    #expect(outcome.status == 0, "\(outcome.errors)")
    return JSON(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)))
  }

  private func file(_ text: String) throws -> URL {
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).txt")
    try Data(text.utf8).write(to: url)
    return url
  }

  @Test func scorePrintsWhatItPromises() async throws {
    let text = try file("The quick brown fox jumps over the lazy dog.")
    defer { try? FileManager.default.removeItem(at: text) }
    for expert in ["smollm2-135m", "gemma3-270m"] {
      let report = try json(
        try await Command.thalamus("score", "--expert", expert, "--file", text.path, "--json"))
      let tokens = report["tokens"].array
      let logprobs = report["logprobs"].array
      #expect(tokens.count == logprobs.count && tokens.count == report["top"].array.count)
      #expect(logprobs[0].isNull)
      #expect(logprobs.dropFirst().allSatisfy { ($0.double ?? 1) <= 0 })
      // A saying that every model knows.
      #expect((report["perplexity"].double ?? .infinity) < 60)
      #expect((report["bits_per_byte"].double ?? .infinity) < 1.5)
    }
  }

  @Test func generateIsDeterministicForASeed() async throws {
    let arguments = [
      "generate", "--expert", "smollm2-135m", "--prompt", "Write a poem.", "--max-tokens", "12",
      "--temperature", "1", "--seed", "5",
    ]
    let first = try await Command.run(Binary.url, arguments)
    let second = try await Command.run(Binary.url, arguments)
    #expect(first.status == 0 && first.output == second.output && first.output.count > 5)
  }

  @Test func generateKeepsToASchema() async throws {
    let schema = try file(
      #"{"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}, "country": {"type": "string", "maxLength": 20}}, "required": ["city", "country"]}"#
    )
    let broken = try file(#"{"type": "city"}"#)
    defer { for url in [schema, broken] { try? FileManager.default.removeItem(at: url) } }
    let arguments = [
      "generate", "--expert", "smollm2-135m", "--prompt", "Name a capital as JSON.",
      "--temperature",
      "2", "--json-schema",
    ]
    let found = try json(try await Command.run(Binary.url, arguments + [schema.path]))
    #expect(["Paris", "Rome"].contains(found["city"].string) && found["country"].string != nil)
    let refused = try await Command.run(Binary.url, arguments + [broken.path])
    #expect(refused.status != 0 && refused.errors.contains("#/type"))
  }

  @Test func tokenizeAndEmbed() async throws {
    let ids = try await Command.thalamus("tokenize", "--expert", "gemma3-270m", input: "Hello")
    #expect(ids.output == "2 9259\n")
    let vectors = try await Command.thalamus("embed", input: "one line\nanother\n")
    #expect(vectors.output.split(separator: "\n").count == 2)
  }

  @Test func benchPrintsItsFigures() async throws {
    let decoder = try json(
      try await Command.thalamus(
        "bench", "decoder", "--expert", "smollm2-135m", "--prompt-tokens", "16",
        "--generated-tokens", "4", "--repetitions", "1", "--json"))
    #expect((decoder["prefill_tokens_per_second"].double ?? 0) > 0)
    #expect((decoder["decode_tokens_per_second"].double ?? 0) > 0)
    let encoder = try json(
      try await Command.thalamus(
        "bench", "encoder", "--tokens", "16", "--repetitions", "3", "--json"))
    #expect((encoder["median_milliseconds"].double ?? 0) > 0)
  }

  @Test func unknownExpertIsNamedWithTheKnown() async throws {
    let outcome = try await Command.thalamus("generate", "--expert", "gpt-9", "--prompt", "a")
    #expect(outcome.status != 0)
    #expect(outcome.errors.contains("gpt-9") && outcome.errors.contains("smollm2-135m"))
  }
}
