import ArgumentParser
import Foundation
import Library
import Routing
import Thalamus

struct RouterTrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Fit the router to measured outcomes, and write it into the models folder.")

  @OptionGroup var options: RouterOptions

  @Option(help: "Strategies to train, separated by commas.")
  var strategies = RoutingStrategy.trained.map(\.name).joined(separator: ",")

  @Option(
    help: """
      Layers of the encoder that prompts go through, from the first. Without it, for knn and ridge what \
      the encoder's card says, and all for kmeans and pilot.
      """)
  var layers: Int?

  func run() async throws {
    let chosen = try chosenStrategies()
    let opened = try await options.open()
    if let layers, !(1...opened.encoder.depth).contains(layers) {
      throw ValidationError("--layers: the encoder has \(opened.encoder.depth)")
    }
    // Before minutes of embedding.
    for split in [PromptRow.Split.train, .heldout] where opened.rows(split).isEmpty {
      throw CommandFailure("\(opened.path) has no prompts of the split '\(split.rawValue)'")
    }
    let baselines = try opened.baselines()
    var revisions: [String: String] = [:]
    for manifest in try LibraryCards(directory: opened.modelsDirectory).manifests {
      revisions[manifest.card.id] = try? manifest.revision()
    }
    var embedded = EmbeddedExamples<(set: TrainingSet, heldOut: [TrainingExample])>()
    var hasWarned = false
    for strategy in chosen {
      let trainer = opened.trainer(
        for: strategy, layers: layers ?? opened.encoder.depth(for: strategy))
      let (set, heldOut) = try await embedded.of(trainer) {
        let rows = opened.rows(.train)
        var bar = ProgressBar(total: 2 * rows.count)
        return (
          try TrainingSet(
            examples: await trainer.trainingExamples(rows) { bar.show($0, "embedding prompts") }),
          try await trainer.examples(opened.rows(.heldout))
        )
      }
      if !hasWarned { warn(of: set) }
      hasWarned = true
      let router = try RouterTraining.train(strategy, on: set)
      let evaluation = try trainer.evaluate(router, on: heldOut, baselines: baselines)
      let archive = try RouterArchive.encode(
        router, encoder: trainer.encoderDescription,
        training: RouterManifest.Training(
          files: [URL(filePath: opened.path).lastPathComponent], prompts: set.promptCount,
          domains: set.domainCounts, date: CalendarDate(Date()),
          expertRevisions: revisions.filter { set.experts.contains($0.key) }),
        metrics: evaluation.manifestMetrics, gateExpert: trainer.gateExpert)
      // Nothing takes the place of a good router that can't be read again.
      _ = try RouterArchive.decode(manifest: archive.manifest, weights: archive.weights)
      try opened.files.save(
        manifest: archive.manifest, weights: archive.weights, strategy: strategy)
      Output.text(
        "\(strategy.name): trained on \(set.promptCount) prompts; held out: "
          + "agreement \(evaluation.percent(\.agreement)), "
          + String(format: "regret %.4f bits per byte", evaluation.router?.regret.mean ?? .nan))
    }
  }

  private func chosenStrategies() throws -> [RoutingStrategy] {
    let chosen = try Names.list(strategies).map { try RoutingStrategy(name: $0) }
    let possible = RoutingStrategy.trained.map(\.name).joined(separator: ", ")
    guard !chosen.isEmpty else { throw ValidationError("--strategies: one or more of \(possible)") }
    for strategy in chosen where !RoutingStrategy.trained.contains(strategy) {
      throw ValidationError(
        "--strategies: '\(strategy.name)' is not trained; those that are: \(possible)")
    }
    return chosen
  }

  private func warn(of set: TrainingSet) {
    for (expert, prompts) in set.partlyMeasured {
      Output.note(
        "\(expert) was measured on \(prompts) of \(set.promptCount) prompts; far from those it is held "
          + "to be as good as the others are on the whole")
    }
  }
}
