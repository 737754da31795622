import Foundation
import Library
import Routing

/// Trains routers on an outcomes file, and judges them on its held-out prompts.
package struct RouterTrainer: Sendable {
  package let encoder: SentenceEncoder

  package init(encoder: SentenceEncoder) {
    self.encoder = encoder
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
      let vectors = try await encoder.embed(texts).vectors
      for ((row, text), vector) in zip(zip(group, texts), vectors) {
        examples.append(
          TrainingExample(
            promptHash: row.hash, domain: row.domain,
            input: RouterInput(embedding: vector, text: text), losses: row.losses ?? [:]))
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
    for example in heldOut {
      let predicted = try router.predict(example.input)
      prompts.append(
        EvaluatedPrompt(
          domain: example.domain, losses: example.losses,
          predicted: Dictionary(
            uniqueKeysWithValues: predicted.map { ($0.expert, $0.lossBitsPerByte) })))
    }
    return try RouterEvaluation.evaluate(
      prompts, experts: router.experts, baselines: baselines, name: router.strategy.name)
  }

  /// What the router's manifest says of the encoder.
  package var encoderDescription: RouterManifest.Encoder {
    RouterManifest.Encoder(
      name: encoder.id, revision: encoder.revision, dimension: encoder.dimension)
  }
}
