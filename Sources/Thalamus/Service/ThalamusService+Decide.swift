import Foundation
import Generation
import Library
import Routing

extension ThalamusService {
  /// Decides which expert should answer, and logs the decision.
  package func decide(_ request: RoutingRequest) async throws -> Decision {
    let decision = try await makeTracedDecision(request)
    record(decision, answering: false)
    trace(decision)
    return decision
  }

  /// Tokens that the expert would read which the request names, or else would be given to, as that expert counts them;
  /// nothing is logged.
  package func promptTokenCount(
    _ request: RoutingRequest, parameters: SamplingParameters
  ) async throws -> Int {
    let id: String
    let prompt: PreparedPrompt
    if let named = request.expert {
      try checkKeyAllows(named)
      (id, prompt) = (named, PreparedPrompt(request.input))
    } else {
      let decision = try await makeDecision(request)
      (id, prompt) = (decision.expert, decision.prompt)
    }
    return try await library.use(id) {
      try $0.promptTokenCount(ExpertInput(prompt.expertInput), parameters: parameters)
    }
  }

  /// The decision alone; nothing is logged.
  ///
  /// - Parameter setbacks: Of experts that were chosen for this prompt before, and gave no answer.
  func makeDecision(
    _ request: RoutingRequest, setbacks: [Setback] = []
  ) async throws -> Decision {
    let start = ContinuousClock.now
    let time = Date()
    let key = APIKey.current
    let prompt = PreparedPrompt(request.input)
    if defaults.obeysPromptFlags, prompt.flags.unreadCount > 0 {
      // One of those may be a limit, and a limit is never passed over.
      throw RoutingError.invalidValue(
        field: "prompt", value: "text with \(prompt.flags.unreadCount) more flags",
        expected: "at most \(PromptFlags.maximumFlags) of them")
    }
    if defaults.obeysPromptFlags, let limit = prompt.flags.mistakenLimit {
      throw RoutingError.invalidValue(
        field: "prompt", value: "a text with [Flag: \(limit.text)]",
        expected: "a limit that can be read: it " + limit.reason)
    }
    guard !prompt.isEmpty else {
      throw RoutingError.invalidValue(
        field: prompt.isChat ? "messages" : "prompt", value: "",
        expected: "a text, besides what flags it has")
    }
    let strategy = try strategy(of: request)
    var preferences = RoutingPreferences.merge(
      defaults: defaults, prompt: prompt.flags, jsonWeights: request.weights,
      jsonConstraints: request.constraints, keyConstraints: key?.constraints ?? Constraints())
    if request.expert != nil {
      // The caller has chosen: goals no longer do, limits still hold.
      preferences.weights = GoalWeights()
    }

    var predictions: [LossPrediction] = []
    var embeddingMilliseconds = 0.0
    var routerVersion: String?
    var activeExperts: Double?
    var opinions: [String: FeedbackOpinion] = [:]
    if RoutingStrategy.trained.contains(strategy) {
      let router = try router(for: strategy)
      routerVersion = router.manifest.version
      let beforeEmbedding = ContinuousClock.now
      let embedding = try await embedding(of: prompt, depth: router.manifest.encoder.layers)
      embeddingMilliseconds = beforeEmbedding.duration(to: .now).milliseconds
      activeExperts = await gateFeature(of: prompt.routingText, for: router)
      predictions = try router.predictor.predict(
        RouterInput(
          embedding: embedding, text: prompt.routingText,
          activeExperts: activeExperts.map { Float($0) }))
      opinions = try await self.opinions(
        on: prompt, embedding: embedding,
        depth: router.manifest.encoder.layers ?? encoder.depth)
    }
    var context = GoalContext(
      // An estimate, rather too few than too many: too many would shut out an expert whose context
      // the prompt fits. The expert itself counts exactly.
      promptTokens: max(
        prompt.expertByteCount / 5 + 1 + prompt.imageCount * Self.leastTokensPerImage,
        setbacks.promptTokens ?? 0),
      maximumOutputTokens: request.maxTokens, today: CalendarDate(time),
      remainingBudget: spending.remaining(for: key, at: time))
    context.imageCount = prompt.imageCount
    var question = Objective.Request(
      candidates: candidates(for: request, prompt, setbacks), predictions: predictions,
      preferences: preferences, context: context, strategy: strategy,
      routerVersion: routerVersion, seed: request.seed ?? UInt64.random(in: .min ... .max))
    question.opinions = opinions
    var routing = try Objective.decide(question)
    routing.activeExperts = activeExperts
    routing.milliseconds = start.duration(to: .now).milliseconds
    let chosen = question.candidates.first { $0.card.id == routing.expert }
    return Decision(
      id: ids.next(), time: Date(), prompt: prompt, routing: routing,
      embeddingMilliseconds: embeddingMilliseconds, key: key,
      expectedCostUSD: chosen?.expectedCostUSD(in: context) ?? 0, trace: newTrace())
  }

  /// What an image takes of a context at least: as SmolVLM and LLaVA's kind have it, or OpenAI's at low detail.
  private static let leastTokensPerImage = 64

  /// What the router compares prompts by: the user's questions, the latest counting most.
  ///
  /// - Parameter depth: Layers of the encoder to go through; nil for all.
  func embedding(of prompt: PreparedPrompt, depth: Int?) async throws -> [Float] {
    let weights = QuestionWeights.of(prompt.questions)
    let embedded = try await embed(
      Array(prompt.questions.prefix(weights.count)), depth: depth)
    return QuestionWeights.mix(embedded.vectors, weights)
  }

  /// What the gates of the configured mixture say of a prompt; nil where the router does not ask, or
  /// the mixture can't answer in time: the router then does without.
  private func gateFeature(of text: String, for router: LoadedRouter) async -> Double? {
    guard let gateFeature, router.manifest.gateExpert == gateFeature.expert else { return nil }
    return await gateFeature.value(of: text)
  }

  private func strategy(of request: RoutingRequest) throws -> RoutingStrategy {
    if let expert = request.expert {
      if expert == encoder.id { throw ServiceError.makesNoText(model: expert) }
      // Named here first, so that an unknown model is told with the list of known ones.
      _ = try library.manifest(expert)
      return .single(expert)
    }
    return try RoutingStrategy(name: request.strategy ?? configuration.router.strategy)
  }

  /// The experts as the objective sees them now.
  private func candidates(
    for request: RoutingRequest, _ prompt: PreparedPrompt, _ setbacks: [Setback]
  ) -> [Candidate] {
    let lastExpert = conversations.lastExpert(of: prompt.expertInput)
    return library.manifests.map { manifest in
      let id = manifest.card.id
      return setbacks.applied(
        to: Candidate(
          card: manifest.card, statistics: statistics.of(id),
          unavailable: library.obstacle(to: manifest)
            ?? (request.needsLogprobs && request.expert == nil && manifest.endpoint != nil
              ? RemoteExpert.passesNoLogprobs : nil)
              ?? (prompt.hasImagesForEndpoints && request.expert == nil && manifest.endpoint == nil
                ? LocalExpert.leavesToEndpoints : nil),
          loadMilliseconds: library.loadMilliseconds(of: id),
          gaveLastAnswer: lastExpert.map { $0 == id }))
    }
  }
}

extension Duration {
  package var milliseconds: Double {
    Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
  }
}
