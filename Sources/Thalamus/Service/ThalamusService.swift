import DecisionLog
import Foundation
import Library
import Logging
import Routing
import Synchronization

/// The service itself: embeds a prompt, decides, dispatches to an expert, and logs. The server,
/// the command line and any Swift program call this.
package final class ThalamusService: Sendable {
  package static let version = "0.1.0"

  package let configuration: Configuration
  package let library: ExpertLibrary
  let encoder: SentenceEncoder
  let routers: [RoutingStrategy: LoadedRouter]
  let routerFiles: RouterFiles
  /// Nil where the configuration names no mixture.
  let gateFeature: GateFeature?
  package let aliases: ModelAliases
  /// What the operator's configuration asks of every request.
  let defaults: RoutingDefaults
  let statistics: StatisticsStore
  /// Nil where decisions don't follow what callers say of answers.
  let feedback: FeedbackStore?
  /// The keys that have names.
  package let keys: KeyRing
  package let requestRate = RequestRate()
  package let spending: SpendingLedger
  /// Nil where no traces are kept.
  package let traces: TraceExporter?
  /// Who gave the latest answers.
  let conversations = ConversationMemory()
  /// Reads earlier feedback again for another encoder.
  let recalling = Mutex<Task<Void, Never>?>(nil)
  /// Lets models go that nobody asks for.
  private let watching = Mutex<Task<Void, Never>?>(nil)
  package let metrics = ServiceMetrics()
  /// Nil where the configuration keeps no log.
  let log: DecisionLog?
  let logger: Logger
  let ids = DecisionIDGenerator()
  /// Says once, not a thousand times, that the log takes no more.
  let logTrouble = Mutex(false)

  private init(
    configuration: Configuration, library: ExpertLibrary, encoder: SentenceEncoder,
    routers: [RoutingStrategy: LoadedRouter], routerFiles: RouterFiles,
    aliases: ModelAliases, defaults: RoutingDefaults, statistics: StatisticsStore,
    keys: KeyRing, spending: SpendingLedger, traces: TraceExporter?, log: DecisionLog?,
    logger: Logger
  ) {
    self.configuration = configuration
    self.library = library
    self.encoder = encoder
    self.routers = routers
    self.routerFiles = routerFiles
    let id = configuration.router.gateFeature
    gateFeature =
      id.isEmpty
      ? nil
      : GateFeature(expert: id) {
        guard try await library.expert(id) is LocalExpert else { return nil }
        return { text in
          try await library.use(id) { try await ($0 as? LocalExpert)?.meanActiveExperts(of: text) }
        }
      } report: {
        logger.warning("router.gate_feature: \(id): \($0)")
      }
    self.aliases = aliases
    self.defaults = defaults
    self.statistics = statistics
    self.keys = keys
    self.spending = spending
    self.traces = traces
    feedback = Self.feedbackStore(configuration, encoder, routers, log)
    self.log = log
    self.logger = logger
  }

  /// Reads cards, encoder and routers, opens the log, and loads the experts to be loaded at start.
  package static func start(
    _ configuration: Configuration, logger: Logger
  ) async throws -> ThalamusService {
    let models = configuration.models
    let keys = try KeyRing(folder: KeyFolder(configuration), logger: logger)
    let traces =
      configuration.traces.endpoint.isEmpty
      ? nil
      : try TraceExporter(
        endpoint: configuration.traces.endpoint, headers: configuration.traces.headers,
        version: Self.version, logger: logger)
    let cards = try LibraryCards(directory: models.directory)
    // Without any expert the server would be up and of no use.
    if cards.manifests.isEmpty, let first = cards.problems.min(by: { $0.key < $1.key }) {
      throw first.value
    }
    let loader = try LocalExpertLoader(ComputeOptions(configuration))
    logger.info("\(loader.computeDescription)")
    var residency = ResidencyOptions(configuration, ids: cards.manifests.map(\.card.id))
    residency.report = { logger.info("\($0)") }
    let library = ExpertLibrary(
      manifests: cards.manifests, problems: cards.problems, trust: .seconds(1), residency: residency
    ) { manifest throws(LibraryError) in
      logger.info("loading \(manifest.card.id)")
      let expert = try await loader.load(manifest)
      for warning in expert.decoder.warnings { logger.warning("\(manifest.card.id): \(warning)") }
      return expert
    }
    for (id, problem) in library.unusable.sorted(by: { $0.key < $1.key }) {
      logger.error("expert \(id) is left out: \(problem)")
    }
    for manifest in cards.manifests { warn(of: manifest, library, logger) }
    let encoder = try await SentenceEncoder.load(
      folder: models.directory + "/" + models.encoder, pool: loader.computePool)
    let gateFeature = configuration.router.gateFeature
    if !gateFeature.isEmpty, library.unusable[gateFeature] == nil {
      _ = try library.manifest(gateFeature)
    }
    let routerFiles = RouterFiles(configuration)
    var routers: [RoutingStrategy: LoadedRouter] = [:]
    for strategy in RoutingStrategy.trained {
      let stored: LoadedRouter?
      do {
        stored = try routerFiles.load(strategy)
      } catch  where strategy.name != configuration.router.strategy {
        // Half-written, perhaps, by a training that was cut off: the server can do without it.
        logger.warning("router \(strategy.name) is left out: \(error)")
        continue
      }
      guard let router = stored else { continue }
      guard encoder.isEncoder(of: router.manifest) else {
        logger.warning(
          "router \(router.manifest.version) was trained on another encoder and is left out")
        continue
      }
      let trainedWith = router.manifest.gateExpert ?? ""
      if strategy.canUseActiveExperts, trainedWith != gateFeature {
        logger.warning(
          """
          router \(router.manifest.version) was trained with router.gate_feature '\(trainedWith)', not \
          '\(gateFeature)', and does without; train it again
          """)
      }
      routers[strategy] = router
    }
    let aliases = try ModelAliases(
      models.aliases, known: ["auto"] + library.ids + library.unusable.keys.sorted() + [encoder.id])
    let log = await openLog(configuration, logger: logger)
    let service = ThalamusService(
      configuration: configuration, library: library, encoder: encoder, routers: routers,
      routerFiles: routerFiles, aliases: aliases, defaults: try RoutingDefaults(configuration),
      statistics: await storedStatistics(log), keys: keys,
      spending: await storedSpending(log, configuration.budget, logger), traces: traces, log: log,
      logger: logger)
    await service.recallFeedback()
    try await service.preload(models.preload)
    service.watchResidency(residency)
    return service
  }

  /// Remembers opinions where the configured strategy compares prompts.
  private static func feedbackStore(
    _ configuration: Configuration, _ encoder: SentenceEncoder,
    _ routers: [RoutingStrategy: LoadedRouter], _ log: DecisionLog?
  ) -> FeedbackStore? {
    let settings = configuration.router
    guard log != nil, settings.feedbackWeight > 0,
      let router = (try? RoutingStrategy(name: settings.strategy)).flatMap({ routers[$0] })
    else { return nil }
    return FeedbackStore(
      space: router.predictor.space, weight: settings.feedbackWeight,
      encoderRevision: encoder.revision, depth: router.manifest.encoder.layers ?? encoder.depth)
  }

  /// What an operator should know of an expert before prompts go there.
  static func warn(
    of manifest: ExpertManifest, _ library: ExpertLibrary, _ logger: Logger
  ) {
    let id = manifest.card.id
    guard let endpoint = manifest.endpoint else {
      if let obstacle = library.obstacle(to: manifest) {
        logger.error("expert \(id) cannot answer: \(obstacle)")
      }
      return
    }
    if manifest.card.runs == .thisMachine, !endpoint.isLoopback {
      logger.warning(
        "\(id): its card says this_machine, and \(endpoint.host) is no loopback address: prompts that must not leave the machine go there"
      )
    }
    if let problem = endpoint.keyProblem { logger.warning("\(id): \(problem)") }
    if endpoint.isOpenToReaders {
      logger.warning("\(id): prompts go to \(endpoint.host) by plain http, to be read on the way")
    }
  }

  private func preload(_ ids: [String]) async throws {
    for id in ids == ["all"] ? library.ids : ids {
      do {
        _ = try await library.expert(id)
      } catch let error as LibraryError {
        // The name is the configuration's mistake; what is wrong with one expert is no matter of the others.
        if case .unknownExpert = error { throw error }
        logger.error("\(error)")
      }
    }
  }

  /// Looks now and then for models that nobody has asked for in a long time.
  private func watchResidency(_ options: ResidencyOptions) {
    guard let limit = options.unloadAfter else { return }
    let library = library
    let pause = min(.seconds(30), limit / 4)
    watching.withLock {
      $0 = Task {
        while !Task.isCancelled {
          try? await Task.sleep(for: pause)
          await library.unloadUnused()
        }
      }
    }
  }

  /// The trained router of a strategy.
  func router(for strategy: RoutingStrategy) throws -> LoadedRouter {
    guard let router = routers[strategy] else {
      throw ServiceError.untrained(strategy: strategy.name, path: routerFiles.directory)
    }
    return router
  }

  /// Ends the experts and writes what the log still holds.
  package func shutDown() async {
    recalling.withLock { $0?.cancel() }
    watching.withLock { $0?.cancel() }
    await library.shutDown(finishing: true)
    await traces?.shutDown()
    await closeLog()
  }
}

extension RoutingDefaults {
  /// What the configuration asks of every request.
  package init(_ configuration: Configuration) throws {
    let goals = configuration.goals
    let limits = configuration.constraints
    self.init(
      weights: try GoalWeights(
        [
          .size: goals.size, .recency: goals.recency, .security: goals.security,
          .latency: goals.latency, .cost: goals.cost, .verbosity: goals.verbosity,
          .readability: goals.readability, .continuity: goals.continuity,
        ].filter { $0.value > 0 }),
      limits: Constraints(
        maxParameters: limits.maxParameters > 0 ? limits.maxParameters : nil,
        localOnly: limits.localOnly ? true : nil,
        licenses: limits.licenses.isEmpty ? nil : Set(limits.licenses.map { $0.lowercased() })),
      obeysPromptFlags: configuration.router.promptFlags)
  }
}
