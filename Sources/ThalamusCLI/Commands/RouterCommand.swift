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

  /// - Parameter layers: Layers of the encoder to go through; nil for as many as its card says.
  func trainer(layers: Int?) -> RouterTrainer {
    RouterTrainer(encoder: encoder, gateExpert: gateExpert, depth: layers)
  }

  /// What simpler choices know: the losses on the training prompts.
  func baselines() throws -> RouterEvaluation.Baselines {
    RouterEvaluation.Baselines(
      training: try TrainingSet(
        examples: rows(.train).map { row in
          TrainingExample(
            promptHash: row.hash, domain: row.domain, input: RouterInput(embedding: [], text: ""),
            losses: row.losses ?? [:])
        }))
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
      "Layers of the encoder that prompts go through, from the first. Without it, for knn and ridge what the encoder's card says, and all for kmeans and pilot."
  )
  var layers: Int?

  func run() async throws {
    let chosen = try strategies.split(separator: ",").map { try RoutingStrategy(name: String($0)) }
    let opened = try await options.open()
    if let layers, !(1...opened.encoder.depth).contains(layers) {
      throw ValidationError("--layers: the encoder has \(opened.encoder.depth)")
    }
    let baselines = try opened.baselines()
    // By the number of the encoder's layers.
    var embedded: [Int: (set: TrainingSet, heldOut: [TrainingExample])] = [:]
    var revisions: [String: String] = [:]
    for manifest in try ExpertLibrary.manifests(in: opened.modelsDirectory) {
      revisions[manifest.card.id] = try? manifest.revision()
    }
    for strategy in chosen {
      let depth = layers ?? opened.encoder.depth(for: strategy)
      let trainer = opened.trainer(layers: depth)
      if embedded[depth] == nil {
        let rows = opened.rows(.train)
        var bar = ProgressBar(total: 2 * rows.count)
        embedded[depth] = (
          try TrainingSet(
            examples: await trainer.trainingExamples(rows) { bar.show($0, "embedding prompts") }),
          try await trainer.examples(opened.rows(.heldout))
        )
      }
      guard let (set, heldOut) = embedded[depth] else { continue }
      let router = try RouterTraining.train(strategy, on: set)
      let evaluation = try trainer.evaluate(router, on: heldOut, baselines: baselines)
      let archive = try RouterArchive.encode(
        router, encoder: trainer.encoderDescription,
        training: RouterManifest.Training(
          files: [URL(filePath: opened.path).lastPathComponent], prompts: set.promptCount,
          domains: set.domainCounts, date: CalendarDate(Date()),
          expertRevisions: revisions.filter { set.experts.contains($0.key) }),
        metrics: evaluation.manifestMetrics,
        gateExpert: strategy.canUseActiveExperts ? opened.gateExpert : nil)
      try opened.files.save(
        manifest: archive.manifest, weights: archive.weights, strategy: strategy)
      Output.text(
        "\(strategy.name): trained on \(set.promptCount) prompts; held out: "
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

  @Option(help: "Judge on no more than so many words, the first, of each held-out prompt.")
  var words: Int?

  @Flag(help: "Print the evaluation as JSON.")
  var json = false

  func run() async throws {
    if let words, words < 1 { throw ValidationError("--words: at least 1") }
    let opened = try await options.open()
    let baselines = try opened.baselines()
    let strategies =
      strategy == "all" ? RoutingStrategy.trained : [try RoutingStrategy(name: strategy)]
    let rows = opened.rows(.heldout).map { row in
      var row = row
      if let words { row.prompt = row.firstWords(words) }
      return row
    }
    // By the number of the encoder's layers: routers may differ in that.
    var embedded: [Int: [TrainingExample]] = [:]
    for strategy in strategies {
      guard let router = try opened.files.load(strategy) else {
        throw ServiceError.untrained(strategy: strategy.name, path: opened.files.directory)
      }
      guard opened.encoder.isEncoder(of: router.manifest) else {
        throw CommandFailure(
          "router \(router.manifest.version) was trained on another encoder; train it again")
      }
      let layers = router.manifest.encoder.layers ?? opened.encoder.depth
      let trainer = opened.trainer(layers: layers)
      let examples: [TrainingExample]
      if let known = embedded[layers] {
        examples = known
      } else {
        examples = try await trainer.examples(rows)
        embedded[layers] = examples
      }
      let evaluation = try trainer.evaluate(router.predictor, on: examples, baselines: baselines)
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
