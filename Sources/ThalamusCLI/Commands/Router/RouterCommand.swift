import ArgumentParser
import Foundation
import Library
import Routing
import Thalamus

struct RouterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "router", abstract: "Train and judge the router.",
    subcommands: [RouterTrainCommand.self, RouterEvaluateCommand.self])
}

/// What both commands need.
struct RouterOptions: ParsableArguments {
  @Option(
    help:
      "Outcomes (`thalamus outcomes export`). Without it, outcomes.jsonl in the router's folder.")
  var outcomes: String?

  @OptionGroup var configuration: ConfigurationOptions

  struct Opened {
    let files: RouterFiles
    let path: String
    let rows: [PromptRow]
    let encoder: SentenceEncoder
    let gateExpert: String?
    let modelsDirectory: String
  }

  func open() async throws -> Opened {
    let settings = try configuration.load()
    let files = RouterFiles(settings)
    let path = outcomes ?? files.directory + "/outcomes.jsonl"
    let rows = try PromptFile.read(path)
    let pool = try LocalExpertLoader(ComputeOptions(settings)).computePool
    let encoder = try await SentenceEncoder.load(
      folder: settings.models.directory + "/" + settings.models.encoder, pool: pool)
    return Opened(
      files: files, path: path, rows: rows, encoder: encoder,
      gateExpert: settings.router.gateFeature.isEmpty ? nil : settings.router.gateFeature,
      modelsDirectory: settings.models.directory)
  }
}

extension RouterOptions.Opened {
  func rows(_ split: PromptRow.Split) -> [PromptRow] { rows.filter { $0.effectiveSplit == split } }

  /// - Parameters:
  ///   - strategy: Whose examples are wanted: not every one can use the gates' feature.
  ///   - layers: Layers of the encoder to go through.
  func trainer(for strategy: RoutingStrategy, layers: Int) -> RouterTrainer {
    RouterTrainer(
      encoder: encoder, gateExpert: strategy.canUseActiveExperts ? gateExpert : nil, depth: layers)
  }

  /// What simpler choices know: the losses on the training prompts.
  ///
  /// - Parameter experts: That there are to choose from; nil for all that were measured.
  func baselines(experts: [String]? = nil) throws -> RouterEvaluation.Baselines {
    RouterEvaluation.Baselines(
      training: try TrainingSet(
        examples: rows(.train).map { row in
          TrainingExample(
            promptHash: row.hash, domain: row.domain, input: RouterInput(embedding: [], text: ""),
            losses: row.losses ?? [:])
        }, experts: experts))
  }
}

/// Examples that were embedded already, by what makes them differ from router to router.
struct EmbeddedExamples<Examples> {
  private struct Key: Hashable {
    let depth: Int
    let gateExpert: String?
  }
  private var known: [Key: Examples] = [:]

  mutating func of(
    _ trainer: RouterTrainer, make: () async throws -> Examples
  ) async throws -> Examples {
    let key = Key(depth: trainer.depth, gateExpert: trainer.gateExpert)
    if let found = known[key] { return found }
    let made = try await make()
    known[key] = made
    return made
  }
}
