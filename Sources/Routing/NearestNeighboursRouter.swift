import Foundation

/// Each expert's weighted mean loss over the k training prompts that are most similar (cosine).
///
/// A neighbour's weight falls with its distance, exp((cosine - best cosine) / temperature): a prompt
/// that is nearly the same decides, and where none is near many have a say. On the shipped outcomes
/// that closes the distance to knowing the prompt's domain, which equal weights leave open.
///
/// Nothing is trained: an expert can be used as soon as some outcomes of it exist. Where the outcomes
/// say how many experts a mixture's gates made active, prompts that differ in that are less alike; how
/// much less is chosen by leave-one-out, and may be nothing.
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
  /// Nil where the router does without the feature.
  private(set) var activity: NeighbourActivity?

  /// This and the temperature: those of 6 to 64 and 0.05 to 0.2 under which the shipped training
  /// prompts, each left out in turn, are given to the best expert most often; from 10 to 20 and 0.05 to
  /// 0.12 all do nearly as well.
  package static let defaultNeighbours = 12
  package static let defaultTemperature = 0.08

  package init(
    training set: TrainingSet, neighbours: Int = defaultNeighbours,
    temperature: Double = defaultTemperature
  ) {
    self.init(
      experts: set.experts, neighbours: max(1, neighbours), temperature: max(1e-6, temperature),
      dimension: set.dimension,
      // As they are stored: a router that comes back has the same neighbours.
      embeddings: set.examples.flatMap { example in
        Similarity.normalised(example.input.embedding).map { Float(Float16($0)) }
      },
      losses: set.examples.flatMap { example in
        set.experts.map { example.losses[$0].map(Float.init) ?? .nan }
      }, activity: NeighbourActivity(training: set))
    if activity != nil { chooseActivityWeight(set) }
  }

  /// Takes the weight under which the training prompts, each left out in turn, would have been given
  /// to the experts with the least loss. It may be 0.
  private mutating func chooseActivityWeight(_ set: TrainingSet) {
    // Some hundred prompts tell the weights apart.
    let step = max(1, set.examples.count / 400)
    let asked = Array(stride(from: 0, to: set.examples.count, by: step))
    let similarities = asked.map { row in
      let start = row * dimension
      return Similarity.cosines(
        embeddings, with: Array(embeddings[start..<start + dimension]))
    }
    var best: (weight: Double, loss: Double)?
    for weight in NeighbourActivity.weights {
      activity?.weight = weight
      var total = 0.0
      for (row, cosines) in zip(asked, similarities) {
        var cosines = cosines
        let example = set.examples[row]
        activity?.lower(&cosines, for: example.input.activeExperts)
        let chosen = predict(cosines, leavingOut: row)
          .min { $0.lossBitsPerByte < $1.lossBitsPerByte }
        total += chosen.flatMap { example.losses[$0.expert] } ?? 0
      }
      if best.map({ total < $0.loss }) ?? true { best = (weight, total) }
    }
    activity?.weight = best?.weight ?? 0
  }

  init(
    experts: [String], neighbours: Int, temperature: Double, dimension: Int, embeddings: [Float],
    losses: [Float], activity: NeighbourActivity?
  ) {
    self.experts = experts
    self.neighbours = neighbours
    self.temperature = temperature
    self.dimension = dimension
    self.embeddings = embeddings
    self.losses = losses
    self.activity = activity
  }

  package func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction] {
    let query = try Similarity.query(input, dimension: dimension)
    var cosines = Similarity.cosines(embeddings, with: query)
    activity?.lower(&cosines, for: input.activeExperts)
    return predict(cosines, leavingOut: nil)
  }

  /// From the likeness of every training prompt.
  private func predict(_ cosines: [Float], leavingOut omitted: Int?) -> [LossPrediction] {
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
        guard !loss.isNaN, row != omitted else { continue }
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
