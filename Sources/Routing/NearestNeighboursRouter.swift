/// Each expert's mean loss over the k training prompts that are most similar (cosine).
///
/// Nothing is trained: an expert can be used as soon as some outcomes of it exist.
package struct NearestNeighboursRouter: LossPredictor, Equatable {
  package var strategy: RoutingStrategy { .knn }
  package let experts: [String]
  package let neighbours: Int
  let dimension: Int
  /// Unit vectors. // (prompts, dimension)
  let embeddings: [Float]
  /// NaN where not measured. // (prompts, experts)
  let losses: [Float]

  package static let defaultNeighbours = 64

  package init(training set: TrainingSet, neighbours: Int = defaultNeighbours) {
    self.init(
      experts: set.experts, neighbours: max(1, neighbours), dimension: set.dimension,
      embeddings: set.examples.flatMap { Similarity.normalised($0.input.embedding) },
      losses: set.examples.flatMap { example in
        set.experts.map { example.losses[$0].map(Float.init) ?? .nan }
      })
  }

  init(
    experts: [String], neighbours: Int, dimension: Int, embeddings: [Float], losses: [Float]
  ) {
    self.experts = experts
    self.neighbours = neighbours
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
      var count = 0.0
      var sum = 0.0
      var squares = 0.0
      for row in order {
        let loss = Double(losses[row * experts.count + column])
        guard !loss.isNaN else { continue }
        count += 1
        sum += loss
        squares += loss * loss
        if Int(count) == neighbours { break }
      }
      guard count > 0 else { continue }
      let mean = sum / count
      let variance = max(0, squares / count - mean * mean) * count / max(1, count - 1)
      predictions.append(
        LossPrediction(
          expert: expert, lossBitsPerByte: mean,
          standardError: (variance * (1 + 1 / count)).squareRoot()))
    }
    return predictions
  }
}
