import DecisionLog
import Foundation
import Library
import Logging
import Routing
import Thalamus

/// The real models, a router trained on made-up outcomes, and a log, in a temporary folder.
///
/// Questions about code are smollm2-135m's in it, Portuguese ones gemma3-270m's.
struct ServiceFixture {
  private static let models = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "models").path

  let folder: TemporaryFolder
  var configuration: Configuration

  init(router: Bool = true) async throws {
    folder = try TemporaryFolder()
    configuration = Configuration()
    configuration.models.directory = folder.path + "/models"
    configuration.models.threads = 2
    configuration.router.strategy = "ridge"
    configuration.models.kvCacheBytes = 128 << 20
    configuration.log.database = folder.path + "/log/decisions.sqlite"
    try FileManager.default.createDirectory(
      atPath: configuration.models.directory, withIntermediateDirectories: true)
    for name in ["smollm2-135m", "gemma3-270m", "minilm-l6-v2"] {
      try FileManager.default.createSymbolicLink(
        atPath: "\(configuration.models.directory)/\(name)",
        withDestinationPath: "\(Self.models)/\(name)")
    }
    if router { try await trainRouter() }
  }

  func start() async throws -> ThalamusService {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try await ThalamusService.start(configuration, logger: logger)
  }

  /// The log as it is on disk, for after a service's end.
  func logged() async throws -> [DecisionRecord] {
    let log = DecisionLog(.init(path: configuration.log.database))
    let decisions = try await log.decisions(DecisionFilter()).decisions
    try await log.close()
    return decisions
  }

  private static let code = [
    "Write a Python function that reverses a list", "How do I sort an array in Java?",
    "Fix this C code: int main() { retrun 0; }", "What does git rebase do?",
    "Explain recursion with a code example", "Write a SQL query that joins two tables",
    "Implement binary search in Rust", "What is a pointer in C++?",
    "Write a unit test for this function", "Parse JSON in JavaScript",
    "How do I write a for loop in Swift?", "Write a regular expression for dates",
  ]

  private static let portuguese = [
    "Qual é a capital de Portugal?", "Escreve um poema sobre o mar",
    "Quem descobriu o caminho marítimo para a Índia?", "O que é a saudade?",
    "Traduz esta frase para inglês", "Conta-me uma história de Lisboa",
    "Como se faz um bom café?", "Quais são os rios de Portugal?",
    "Explica a fotossíntese em português", "Qual é a tua comida preferida?",
    "Descreve a cidade do Porto", "Quando é o dia de Natal?",
  ]

  private func trainRouter() async throws {
    let loader = try LocalExpertLoader(ComputeOptions(configuration))
    let encoder = try await SentenceEncoder.load(
      folder: configuration.models.directory + "/minilm-l6-v2", pool: loader.computePool)
    let rows =
      Self.code.map { ($0, "code", ["smollm2-135m": 0.5, "gemma3-270m": 1.5]) }
      + Self.portuguese.map { ($0, "portuguese", ["smollm2-135m": 1.5, "gemma3-270m": 0.5]) }
    let trainer = RouterTrainer(encoder: encoder)
    let examples = try await trainer.examples(
      rows.map { prompt, domain, losses in
        PromptRow(
          id: prompt, domain: domain, prompt: prompt, losses: losses)
      })
    let set = try TrainingSet(examples: examples)
    let archive = try RouterArchive.encode(
      RouterTraining.train(.ridge, on: set), encoder: trainer.encoderDescription,
      training: .init(
        files: ["made up"], prompts: rows.count, domains: set.domainCounts,
        date: CalendarDate(Date())))
    try RouterFiles(configuration).save(
      manifest: archive.manifest, weights: archive.weights, strategy: .ridge)
  }
}
