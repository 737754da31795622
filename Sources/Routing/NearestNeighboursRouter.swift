import Foundation

/// Each expert's weighted mean loss over the k training prompts that are most similar (cosine).
///
/// A neighbour's weight falls with its distance, exp((cosine - best cosine) / temperature): a prompt
/// that is nearly the same decides, and where none is near many have a say. On the shipped outcomes
/// that closes the distance to knowing the prompt's domain, which equal weights leave open.
///
/// Nothing is trained: an expert can be used as soon as some outcomes of it exist.
package struct NearestNeighboursRouter: LossPredictor, Equatable {
  package var strategy: RoutingStrategy { .knn }
  package let experts: [String]
  package let neighbours: Int
  /// Difference of cosines at which a neighbour counts 1/e of the nearest one.
  package let temperature: Double
  let dimension: Int
  /// Unit vectors. // (prompts, dimension)
  let embeddings: [Float]
  /// NaN where not measured. // (prompts, experts)
  let losses: [Float]

  package static let defaultNeighbours = 64
  /// The best of 0.02 to 0.08 by cross-validation on the shipped training prompts.
  package static let defaultTemperature = 0.05

  package init(
    training set: TrainingSet, neighbours: Int = defaultNeighbours,
    temperature: Double = defaultTemperature
  ) {
    self.init(
      experts: set.experts, neighbours: max(1, neighbours), temperature: max(1e-6, temperature),
      dimension: set.dimension,
      embeddings: set.examples.flatMap { Similarity.normalised($0.input.embedding) },
      losses: set.examples.flatMap { example in
        set.experts.map { example.losses[$0].map(Float.init) ?? .nan }
      })
  }

  init(
    experts: [String], neighbours: Int, temperature: Double, dimension: Int, embeddings: [Float],
    losses: [Float]
  ) {
    self.experts = experts
    self.neighbours = neighbours
    self.temperature = temperature
    self.dimension = dimension
    self.embeddings = embeddings
    self.losses = losses
  }

  package func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction] {
    let query = try Similarity.query(input, dimension: dimension)
    let cosines = Similarity.cosines(embeddings, with: query)
    let order = cosines.indices.sorted { (cosines[$0], $1) > (cosines[$1], $0) }
    var predictions: [LossPrediction] = []
    for (column, expert) in experts.enumerated() {
      var found = 0
      var nearest: Double?
      var weights = 0.0
      var squaredWeights = 0.0
      var sum = 0.0
      var squares = 0.0
      for row in order {
        let loss = Double(losses[row * experts.count + column])
        guard !loss.isNaN else { continue }
        let cosine = Double(cosines[row])
        let weight = exp((cosine - (nearest ?? cosine)) / temperature)
        nearest = nearest ?? cosine
        found += 1
        weights += weight
        squaredWeights += weight * weight
        sum += weight * loss
        squares += weight * loss * loss
        if found == neighbours { break }
      }
      guard found > 0 else { continue }
      // As many equal neighbours would say as much.
      let count = weights * weights / squaredWeights
      let mean = sum / weights
      let variance = max(0, squares / weights - mean * mean) * count / max(1, count - 1)
      predictions.append(
        LossPrediction(
          expert: expert, lossBitsPerByte: mean,
          standardError: (variance * (1 + 1 / count)).squareRoot()))
    }
    return predictions
  }
}
