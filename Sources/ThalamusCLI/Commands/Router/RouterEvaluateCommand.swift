import ArgumentParser
import Foundation
import Library
import Routing
import Thalamus

struct RouterEvaluateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "How well the trained router chooses on held-out prompts, beside simpler choices.")

  @OptionGroup var options: RouterOptions

  @Option(help: "Strategy to judge, or `all` that were trained.")
  var strategy = "knn"

  @Option(
    help: """
      Judge on the first so many words of each held-out prompt alone (and on at most eight characters \
      for each).
      """)
  var words: Int?

  @Flag(
    help: """
      Judge what callers' feedback is worth instead: a router trained without a domain is told which of its \
      choices there were good.
      """)
  var feedback = false

  @Flag(
    help: """
      Judge what the goal `continuity` does to conversations instead: how often they switch experts, and what that \
      is worth.
      """)
  var conversations = false

  @Flag(help: "Print the evaluation as JSON; a list of them for `all`.")
  var json = false

  /// What `--json` prints.
  private struct Judged: Encodable {
    let strategy: String
    let router_version: String
    let evaluation: RouterEvaluation
  }

  func validate() throws {
    if let words, !(1...100_000).contains(words) {
      throw ValidationError("--words: 1 to 100000")
    }
    if feedback || conversations, strategy == "all" || words != nil {
      throw ValidationError(
        "--\(feedback ? "feedback" : "conversations"): of one strategy, and on whole prompts")
    }
    if feedback, conversations {
      throw ValidationError("--feedback and --conversations: one at a time")
    }
  }

  func run() async throws {
    let opened = try await options.open()
    if feedback { return try await evaluateFeedback(opened) }
    if conversations { return try await evaluateConversations(opened) }
    let strategies =
      strategy == "all" ? RoutingStrategy.trained : [try RoutingStrategy(name: strategy)]
    let rows = opened.rows(.heldout).map { row in
      var row = row
      if let words { row.prompt = row.firstWords(words) }
      return row
    }.filter { !$0.prompt.isEmpty }
    let measured = Set(opened.rows.flatMap { ($0.losses ?? [:]).keys })
    var embedded = EmbeddedExamples<[TrainingExample]>()
    var judged: [Judged] = []
    for strategy in strategies {
      guard let router = try router(of: strategy, opened) else {
        guard self.strategy == "all" else {
          throw ServiceError.untrained(strategy: strategy.name, path: opened.files.directory)
        }
        Output.note("\(strategy.name): not trained")
        continue
      }
      let manifest = router.manifest
      let unmeasured = Set(manifest.experts).subtracting(measured).sorted()
      guard unmeasured.isEmpty else {
        throw CommandFailure(
          "router \(manifest.version) knows \(unmeasured.joined(separator: ", ")), of which "
            + "\(opened.path) has no outcomes")
      }
      let strangers = measured.subtracting(manifest.experts).sorted()
      if !strangers.isEmpty {
        Output.note(
          "router \(manifest.version) does not know \(strangers.joined(separator: ", ")), which were "
            + "measured since: train it again")
      }
      // As the server has it: without the feature where it names another mixture than the router does.
      let usesFeature = manifest.gateExpert != nil && manifest.gateExpert == opened.gateExpert
      let trainer = RouterTrainer(
        encoder: opened.encoder, gateExpert: usesFeature ? opened.gateExpert : nil,
        depth: manifest.encoder.layers ?? opened.encoder.depth)
      let examples = try await embedded.of(trainer) { try await trainer.examples(rows) }
      let evaluation = try trainer.evaluate(
        router.predictor, on: examples, baselines: opened.baselines(experts: manifest.experts))
      judged.append(
        Judged(
          strategy: strategy.name, router_version: manifest.version, evaluation: evaluation))
      if !json {
        Output.text("## \(strategy.name) (\(manifest.version))\n\n\(evaluation.markdown)")
      }
    }
    guard json else { return }
    if strategy == "all" {
      try Output.json(judged, pretty: true)
    } else {
      for one in judged { try Output.json(one, pretty: true) }
    }
  }

  /// The trained router of a strategy, if there is one, made with the encoder that is here.
  private func router(
    of strategy: RoutingStrategy, _ opened: RouterOptions.Opened
  ) throws -> LoadedRouter? {
    guard let router = try opened.files.load(strategy) else { return nil }
    guard opened.encoder.isEncoder(of: router.manifest) else {
      throw CommandFailure(
        "router \(router.manifest.version) was trained on another encoder; train it again")
    }
    return router
  }

  /// Weights of `continuity` that are compared.
  private static let continuityWeights = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]

  private func evaluateConversations(_ opened: RouterOptions.Opened) async throws {
    let strategy = try RoutingStrategy(name: strategy)
    guard let router = try router(of: strategy, opened) else {
      throw ServiceError.untrained(strategy: strategy.name, path: opened.files.directory)
    }
    // Without the mixture's feature: what its gates would say of a part of a prompt was not measured.
    let trainer = RouterTrainer(
      encoder: opened.encoder, depth: router.manifest.encoder.layers ?? opened.encoder.depth)
    let evaluation = try await trainer.evaluateConversations(
      router.predictor, on: opened.rows(.heldout), weights: Self.continuityWeights)
    if json {
      try Output.json(evaluation, pretty: true)
    } else {
      Output.text(evaluation.markdown)
    }
  }

  private func evaluateFeedback(_ opened: RouterOptions.Opened) async throws {
    let strategy = try RoutingStrategy(name: strategy)
    let trainer = opened.trainer(for: strategy, layers: opened.encoder.depth(for: strategy))
    var training = try await trainer.trainingExamples(opened.rows(.train))
    var heldOut = try await trainer.examples(opened.rows(.heldout))
    // Without a feature that an opinion knows nothing of.
    for index in training.indices { training[index].input.activeExperts = nil }
    for index in heldOut.indices { heldOut[index].input.activeExperts = nil }
    let evaluation = try FeedbackEvaluation.evaluate(
      training: training, heldOut: heldOut,
      experts: Set(opened.rows.flatMap { ($0.losses ?? [:]).keys }).sorted()
    ) { try RouterTraining.train(strategy, on: $0) }
    if json {
      try Output.json(evaluation, pretty: true)
    } else {
      Output.text(evaluation.markdown)
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
