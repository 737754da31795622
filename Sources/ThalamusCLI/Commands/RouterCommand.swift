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

/// An outcomes file's prompts, embedded, in its two parts.
private struct SplitExamples {
  let trainer: RouterTrainer
  let training: [TrainingExample]
  let heldOut: [TrainingExample]

  /// - Parameter layers: Layers of the encoder to go through; nil for as many as its card says.
  init(_ opened: RouterOptions.Opened, layers: Int?) async throws {
    trainer = RouterTrainer(
      encoder: opened.encoder, gateExpert: opened.gateExpert, depth: layers)
    let rows = opened.rows
    var bar = ProgressBar(total: rows.count)
    let examples = try await trainer.examples(rows) { bar.show($0, "embedding prompts") }
    let splits = rows.map(\.effectiveSplit)
    training = zip(examples, splits).filter { $0.1 == .train }.map(\.0)
    heldOut = zip(examples, splits).filter { $0.1 == .heldout }.map(\.0)
  }
}

struct RouterTrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Fit the router to measured outcomes, and write it into the models folder.")

  @OptionGroup var options: RouterOptions

  @Option(help: "Strategies to train, separated by commas.")
  var strategies = RoutingStrategy.trained.map(\.name).joined(separator: ",")

  @Option(
    help:
      "Layers of the encoder that prompts go through, from the first. Without it, what the encoder's card says."
  )
  var layers: Int?

  func run() async throws {
    let chosen = try strategies.split(separator: ",").map { try RoutingStrategy(name: String($0)) }
    let opened = try await options.open()
    if let layers, !(1...opened.encoder.depth).contains(layers) {
      throw ValidationError("--layers: the encoder has \(opened.encoder.depth)")
    }
    let examples = try await SplitExamples(opened, layers: layers)
    let set = try TrainingSet(examples: examples.training)
    var revisions: [String: String] = [:]
    for manifest in try ExpertLibrary.manifests(in: opened.modelsDirectory)
    where set.experts.contains(manifest.card.id) {
      revisions[manifest.card.id] = try? manifest.revision()
    }
    for strategy in chosen {
      let router = try RouterTraining.train(strategy, on: set)
      let evaluation = try examples.trainer.evaluate(
        router, on: examples.heldOut, baselines: RouterEvaluation.Baselines(training: set))
      let archive = try RouterArchive.encode(
        router, encoder: examples.trainer.encoderDescription,
        training: RouterManifest.Training(
          files: [URL(filePath: opened.path).lastPathComponent], prompts: set.examples.count,
          domains: set.domainCounts, date: CalendarDate(Date()), expertRevisions: revisions),
        metrics: evaluation.manifestMetrics,
        gateExpert: strategy.canUseActiveExperts ? opened.gateExpert : nil)
      try opened.files.save(
        manifest: archive.manifest, weights: archive.weights, strategy: strategy)
      Output.text(
        "\(strategy.name): trained on \(set.examples.count) prompts; held out: "
          + "agreement \(evaluation.percent(\.agreement)), "
          + String(format: "regret %.4f bits per byte", evaluation.router?.regret.mean ?? .nan))
    }
  }
}

struct RouterEvaluateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "How well the trained router chooses on held-out prompts, beside simpler choices.")

  @OptionGroup var options: RouterOptions

  @Option(help: "Strategy to judge; `all` prints a line for each.")
  var strategy = "knn"

  @Flag(help: "Print the evaluation as JSON.")
  var json = false

  func run() async throws {
    let opened = try await options.open()
    let strategies =
      strategy == "all" ? RoutingStrategy.trained : [try RoutingStrategy(name: strategy)]
    // By the number of the encoder's layers: routers may differ in that.
    var embedded: [Int: SplitExamples] = [:]
    for strategy in strategies {
      guard let router = try opened.files.load(strategy) else {
        throw ServiceError.untrained(strategy: strategy.name, path: opened.files.directory)
      }
      guard opened.encoder.isEncoder(of: router.manifest) else {
        throw CommandFailure(
          "router \(router.manifest.version) was trained on another encoder; train it again")
      }
      let layers = router.manifest.encoder.layers ?? opened.encoder.depth
      let examples: SplitExamples
      if let known = embedded[layers] {
        examples = known
      } else {
        examples = try await SplitExamples(opened, layers: layers)
        embedded[layers] = examples
      }
      let evaluation = try examples.trainer.evaluate(
        router.predictor, on: examples.heldOut,
        baselines: RouterEvaluation.Baselines(training: TrainingSet(examples: examples.training)))
      if json {
        try Output.json(evaluation, pretty: true)
      } else {
        Output.text("## \(strategy.name) (\(router.manifest.version))\n\n\(evaluation.markdown)")
      }
    }
  }
}

extension RouterEvaluation {
  func percent(_ path: KeyPath<Policy, Estimate>) -> String {
    String(format: "%.1f %%", (router?[keyPath: path].mean ?? .nan) * 100)
  }

  /// What the router's manifest says of its quality.
  var manifestMetrics: [String: Double] {
    guard let router else { return [:] }
    return [
      "held_out_prompts": Double(prompts), "agreement": router.agreement.mean,
      "mean_regret": router.regret.mean, "within_two_percent": router.withinTwoPercent.mean,
      "regret_minus_best_single": regretDifference.mean,
      "regret_minus_best_single_upper": regretDifference.upper,
    ].mapValues { ($0 * 1e6).rounded() / 1e6 }
  }
}
