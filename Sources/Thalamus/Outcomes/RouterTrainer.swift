import Foundation
import Library
import Routing

/// Trains routers on an outcomes file, and judges them on its held-out prompts.
package struct RouterTrainer: Sendable {
  package let encoder: SentenceEncoder
  /// The mixture whose mean number of active experts is a feature; nil for none.
  package let gateExpert: String?
  /// Layers of the encoder that the prompts go through.
  package let depth: Int

  package init(encoder: SentenceEncoder, gateExpert: String? = nil, depth: Int? = nil) {
    self.encoder = encoder
    self.gateExpert = gateExpert
    self.depth = depth ?? encoder.routerDepth
  }

  /// The outcomes file lacks the feature that the configuration asks for.
  package struct MissingFeature: Error, CustomStringConvertible {
    let prompt: String
    let expert: String

    package var description: String {
      "prompt \(prompt) has no active_experts of \(expert), which router.gate_feature names: collect "
        + "and export its outcomes again, or leave the setting empty"
    }
  }

  /// Words of a prompt's opening.
  private static let openingWords = 12

  /// What a router is trained on: every prompt, and the openings of the longer ones with the same
  /// losses.
  ///
  /// An embedding tells how long a text is, the more so the fewer layers it went through, and prompts
  /// that were collected are mostly longer than those people write. A router that saw none but whole
  /// ones takes a short one for something else than it is (`thalamus router evaluate --words 8`).
  package func trainingExamples(
    _ rows: [PromptRow], progress: (Int) -> Void = { _ in }
  ) async throws -> [TrainingExample] {
    var openings: [PromptRow] = []
    var hashes: [String] = []
    for row in rows {
      let opening = row.firstWords(Self.openingWords)
      guard !opening.isEmpty, opening.utf8.count * 3 < row.prompt.utf8.count * 2 else { continue }
      hashes.append(row.hash)
      openings.append(row)
      openings[openings.count - 1].prompt = opening
    }
    var examples = try await examples(rows + openings, progress: progress)
    // They are left out with their prompts, but for the errors that ridge puts its uncertainty down to: there
    // each row stands alone.
    for (index, hash) in hashes.enumerated() { examples[rows.count + index].promptHash = hash }
    return examples
  }

  /// Embeds the prompts of rows, in their order.
  package func examples(
    _ rows: [PromptRow], progress: (Int) -> Void = { _ in }
  ) async throws -> [TrainingExample] {
    var examples: [TrainingExample] = []
    for start in stride(from: 0, to: rows.count, by: 64) {
      let group = rows[start..<min(start + 64, rows.count)]
      // As the server sees a prompt: with its flags taken out.
      let texts = group.map { PreparedPrompt(.prompt($0.prompt)).routingText }
      let vectors = try await encoder.embed(texts, depth: depth).vectors
      for ((row, text), vector) in zip(zip(group, texts), vectors) {
        var input = RouterInput(embedding: vector, text: text)
        if let gateExpert {
          guard let active = row.activeExperts?[gateExpert] else {
            throw MissingFeature(prompt: row.id, expert: gateExpert)
          }
          input.activeExperts = Float(active)
        }
        examples.append(
          TrainingExample(
            promptHash: row.hash, domain: row.domain,
            input: input, losses: row.losses ?? [:]))
      }
      progress(examples.count)
    }
    return examples
  }

  /// Judges a router on held-out prompts.
  package func evaluate(
    _ router: any LossPredictor, on heldOut: [TrainingExample],
    baselines: RouterEvaluation.Baselines
  ) throws(RoutingError) -> RouterEvaluation {
    var prompts: [EvaluatedPrompt] = []
    for example in heldOut { prompts.append(try EvaluatedPrompt(example, by: router)) }
    return try RouterEvaluation.evaluate(
      prompts, experts: router.experts, baselines: baselines, name: router.strategy.name)
  }

  /// What the router's manifest says of the encoder, as far as it was used.
  package var encoderDescription: RouterManifest.Encoder {
    RouterManifest.Encoder(
      name: encoder.id, revision: encoder.revision, dimension: encoder.dimension,
      layers: depth == encoder.depth ? nil : depth)
  }
}

extension EvaluatedPrompt {
  /// What a router predicts for a prompt, beside what was measured.
  init(_ example: TrainingExample, by router: any LossPredictor) throws(RoutingError) {
    let predicted = try router.predict(example.input)
    self.init(
      domain: example.domain, losses: example.losses,
      predicted: Dictionary(
        uniqueKeysWithValues: predicted.map { ($0.expert, $0.lossBitsPerByte) }))
  }
}

extension SentenceEncoder {
  /// Layers that a strategy's prompts go through where nobody says otherwise.
  ///
  /// The first layers tell kinds of text apart by much that a mean over many prompts takes away; what is
  /// left in centroids is more at the end (models/router/README.md has the figures).
  package func depth(for strategy: RoutingStrategy) -> Int {
    switch strategy {
    case .kmeans, .pilot: depth
    default: routerDepth
    }
  }

  /// Whether a router was trained on what this encoder gives.
  package func isEncoder(of router: RouterManifest) -> Bool {
    router.encoder.revision == revision && (1...depth).contains(router.encoder.layers ?? depth)
  }
}
