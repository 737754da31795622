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
    let trainer: RouterTrainer
    let files: RouterFiles
    let path: String
    let training: [TrainingExample]
    let heldOut: [TrainingExample]
    let revisions: [String: String]
  }

  func open() async throws -> Opened {
    let settings = try configuration.load()
    let files = RouterFiles(settings)
    let path = outcomes ?? files.directory + "/outcomes.jsonl"
    let rows = try PromptFile.read(path)
    let pool = try LocalExpertLoader(ComputeOptions(settings)).computePool
    let encoder = try await SentenceEncoder.load(
      folder: settings.models.directory + "/" + settings.models.encoder, pool: pool)
    let gateExpert = settings.router.gateFeature.isEmpty ? nil : settings.router.gateFeature
    let trainer = RouterTrainer(encoder: encoder, gateExpert: gateExpert)
    var bar = ProgressBar(total: rows.count)
    let examples = try await trainer.examples(rows) { bar.show($0, "embedding prompts") }
    let splits = rows.map(\.effectiveSplit)
    var revisions: [String: String] = [:]
    for manifest in try ExpertLibrary.manifests(in: settings.models.directory) {
      revisions[manifest.card.id] = try? manifest.revision()
    }
    return Opened(
      trainer: trainer, files: files, path: path,
      training: zip(examples, splits).filter { $0.1 == .train }.map(\.0),
      heldOut: zip(examples, splits).filter { $0.1 == .heldout }.map(\.0), revisions: revisions)
  }
}

struct RouterTrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Fit the router to measured outcomes, and write it into the models folder.")

  @OptionGroup var options: RouterOptions

  @Option(help: "Strategies to train, separated by commas.")
  var strategies = RoutingStrategy.trained.map(\.name).joined(separator: ",")

  func run() async throws {
    let chosen = try strategies.split(separator: ",").map { try RoutingStrategy(name: String($0)) }
    let opened = try await options.open()
    let set = try TrainingSet(examples: opened.training)
    for strategy in chosen {
      let router = try RouterTraining.train(strategy, on: set)
      let evaluation = try opened.trainer.evaluate(
        router, on: opened.heldOut, baselines: RouterEvaluation.Baselines(training: set))
      let archive = try RouterArchive.encode(
        router, encoder: opened.trainer.encoderDescription,
        training: RouterManifest.Training(
          files: [URL(filePath: opened.path).lastPathComponent], prompts: set.examples.count,
          domains: set.domainCounts, date: CalendarDate(Date()),
          expertRevisions: opened.revisions.filter { set.experts.contains($0.key) }),
        metrics: evaluation.manifestMetrics,
        gateExpert: strategy.canUseActiveExperts ? opened.trainer.gateExpert : nil)
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
    let baselines = RouterEvaluation.Baselines(
      training: try TrainingSet(examples: opened.training))
    let strategies =
      strategy == "all" ? RoutingStrategy.trained : [try RoutingStrategy(name: strategy)]
    for strategy in strategies {
      guard let router = try opened.files.load(strategy) else {
        throw ServiceError.untrained(strategy: strategy.name, path: opened.files.directory)
      }
      let trained = router.manifest.encoder.revision
      guard trained == opened.trainer.encoderDescription.revision else {
        throw CommandFailure(
          "router \(router.manifest.version) was trained on another encoder; train it again")
      }
      let evaluation = try opened.trainer.evaluate(
        router.predictor, on: opened.heldOut, baselines: baselines)
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
