import Foundation

/// Each expert's weighted mean loss over the k training prompts that are most similar (cosine).
///
/// A neighbour's weight falls with its distance, exp((cosine - best cosine) / temperature): a prompt
/// that is nearly the same decides, and where none is near many have a say. On the shipped outcomes
/// that closes the distance to knowing the prompt's domain, which equal weights leave open.
///
/// Nothing is trained: an expert can be used as soon as some outcomes of it exist. One that was not
/// measured on every prompt is compared by what it loses beyond the others, and far from the prompts it
/// was measured on it is held to be as good as they are on the whole. How many neighbours
/// there are and how fast their weights fall is chosen by leave-one-out. Where the outcomes say how many
/// experts a mixture's gates made active, prompts that differ in that are less alike; how much less is
/// chosen the same way, and may be nothing.
package struct NearestNeighboursRouter: LossPredictor, Equatable {
  package var strategy: RoutingStrategy { .knn }
  package let experts: [String]
  package private(set) var weighting: Weighting
  package let space: EmbeddingSpace
  /// Directions from the space's centre. // (prompts, dimension)
  let embeddings: [Float]
  /// The same, as they are compared.
  private let directions: UnitVectors
  /// NaN where not measured. // (prompts, experts)
  let losses: [Float]
  /// Of each expert, whether it was measured on every prompt.
  private let isMeasuredEverywhere: [Bool]
  private let isComplete: Bool
  /// ``TrainingSet/levels``, of which only partly measured experts need to know. // (prompts)
  private let levels: [Double]
  /// Nil where the router does without the feature.
  private(set) var activity: NeighbourActivity?

  /// How many neighbours there are, and what each counts.
  package struct Weighting: Equatable, Sendable {
    package let neighbours: Int
    /// Difference of cosines at which a neighbour counts 1/e of the nearest one.
    package let temperature: Double

    package init(neighbours: Int, temperature: Double) {
      self.neighbours = max(1, neighbours)
      self.temperature = max(1e-6, temperature)
    }

    /// What training tries. They differ by a third or so: finer steps would follow chance.
    static let candidates = [6, 8, 12, 16, 24, 32, 48].flatMap { neighbours in
      [0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2].map {
        Weighting(neighbours: neighbours, temperature: $0)
      }
    }
  }

  /// - Parameters:
  ///   - weighting: Nil for the one under which the training prompts, each left out in turn, are given
  ///     to the experts with the least loss.
  ///   - centred: Whether prompts are compared around their mean.
  package init(training set: TrainingSet, weighting: Weighting? = nil, centred: Bool = true) {
    let space = centred ? EmbeddingSpace(around: set) : EmbeddingSpace(dimension: set.dimension)
    self.init(
      experts: set.experts, weighting: weighting ?? Weighting(neighbours: 12, temperature: 0.06),
      space: space,
      // As they are stored: a router that comes back has the same neighbours.
      embeddings: set.examples.flatMap { example in
        space.unit(example.input.embedding).map { Float(Float16($0)) }
      },
      losses: set.examples.flatMap { example in
        set.experts.map { example.losses[$0].map(Float.init) ?? .nan }
      }, activity: NeighbourActivity(training: set))
    guard weighting == nil || activity != nil else { return }
    let trials = LeaveOneOut(router: self, set: set)
    if weighting == nil {
      let losses = trials.losses(Weighting.candidates, activity: activity)
      self.weighting =
        zip(Weighting.candidates, losses).min { $0.1 < $1.1 }?.0 ?? self.weighting
    }
    guard let feature = activity else { return }
    activity =
      NeighbourActivity.weights.map { weight in
        var activity = feature
        activity.weight = weight
        return (activity, trials.losses([self.weighting], activity: activity)[0])
      }.min { $0.1 < $1.1 }?.0
  }

  init(
    experts: [String], weighting: Weighting, space: EmbeddingSpace, embeddings: [Float],
    losses: [Float], activity: NeighbourActivity?
  ) {
    self.experts = experts
    self.weighting = weighting
    self.space = space
    self.embeddings = embeddings
    directions = UnitVectors(embeddings, width: space.dimension)
    self.losses = losses
    let rows = experts.isEmpty ? 0 : losses.count / experts.count
    let measured = experts.indices.map { column in
      (0..<rows).allSatisfy { !losses[$0 * experts.count + column].isNaN }
    }
    isMeasuredEverywhere = measured
    isComplete = measured.allSatisfy { $0 }
    levels =
      isComplete
      ? []
      : (0..<rows).map { row in
        let known = experts.indices.filter { column in
          (measured[column] || !measured.contains(true))
            && !losses[row * experts.count + column].isNaN
        }
        let sum = known.reduce(0.0) { $0 + Double(losses[row * experts.count + $1]) }
        return known.isEmpty ? .nan : sum / Double(known.count)
      }
    self.activity = activity
  }

  package func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction] {
    var cosines = directions.cosines(with: try space.query(input.embedding))
    activity?.lower(&cosines, for: input.activeExperts)
    return predict(nearest(cosines), weighting)
  }

  /// As many as count; all of them where some lack losses.
  private func nearest(_ cosines: [Float]) -> [Neighbour] {
    let wanted = weighting.neighbours
    guard isComplete, wanted < cosines.count else { return Self.ranked(cosines) }
    var best: [Neighbour] = []
    best.reserveCapacity(wanted + 1)
    for (row, cosine) in cosines.enumerated() {
      guard best.count < wanted || cosine > best[wanted - 1].cosine else { continue }
      // Of equals the one that came first stays in front.
      let place = best.firstIndex { $0.cosine < cosine } ?? best.count
      best.insert(Neighbour(row: row, cosine: cosine), at: place)
      if best.count > wanted { best.removeLast() }
    }
    return best
  }

  /// A training prompt, and how like it the one that is asked about is.
  private struct Neighbour {
    let row: Int
    let cosine: Float
  }

  /// The nearest first.
  private static func ranked(_ cosines: [Float]) -> [Neighbour] {
    cosines.indices.map { Neighbour(row: $0, cosine: cosines[$0]) }
      .sorted { ($0.cosine, $1.row) > ($1.cosine, $0.row) }
  }

  private func predict(_ ranked: [Neighbour], _ weighting: Weighting) -> [LossPrediction] {
    var predictions: [LossPrediction] = []
    let level =
      isComplete
      ? nil : WeightedMean(ranked, weighting, nearest: ranked.first?.cosine) { levels[$0] }
    for (column, expert) in experts.enumerated() {
      let loss = { (row: Int) in Double(losses[row * experts.count + column]) }
      if isMeasuredEverywhere[column] {
        guard let mean = WeightedMean(ranked, weighting, nearest: nil, of: loss) else { continue }
        predictions.append(
          LossPrediction(
            expert: expert, lossBitsPerByte: mean.mean, standardError: mean.standardError))
      } else if let level,
        let excess = WeightedMean(
          ranked, weighting, nearest: ranked.first?.cosine, of: { loss($0) - levels[$0] })
      {
        // Where all that is known of it is far away, that counts for little.
        let share = excess.weights / (excess.weights + Self.doubt)
        predictions.append(
          LossPrediction(
            expert: expert, lossBitsPerByte: max(0, level.mean + share * excess.mean),
            standardError: (level.standardError * level.standardError
              + excess.standardError * excess.standardError).squareRoot()))
      }
    }
    return predictions
  }

  /// Neighbours as near as the nearest that a partly measured expert's excess is weighed against.
  private static let doubt = 0.5

  /// Of the nearest prompts that have a number.
  private struct WeightedMean {
    private(set) var weights = 0.0
    let mean: Double
    let standardError: Double

    /// - Parameter nearest: The likeness at which a prompt counts 1; nil for that of the first that has a
    ///   number.
    init?(
      _ ranked: [Neighbour], _ weighting: Weighting, nearest: Float?,
      of value: (_ row: Int) -> Double
    ) {
      var found = 0
      var nearest = nearest.map(Double.init)
      var squaredWeights = 0.0
      var sum = 0.0
      var squares = 0.0
      for neighbour in ranked {
        let value = value(neighbour.row)
        guard !value.isNaN else { continue }
        let cosine = Double(neighbour.cosine)
        // Not less than what can be divided by.
        let weight = max(exp((cosine - (nearest ?? cosine)) / weighting.temperature), 1e-100)
        nearest = nearest ?? cosine
        found += 1
        weights += weight
        squaredWeights += weight * weight
        sum += weight * value
        squares += weight * value * value
        if found == weighting.neighbours { break }
      }
      guard found > 0 else { return nil }
      // As many equal neighbours would say as much.
      let count = weights * weights / squaredWeights
      mean = sum / weights
      let variance = max(0, squares / weights - mean * mean) * count / max(1, count - 1)
      standardError = (variance * (1 + 1 / count)).squareRoot()
    }
  }

  /// Training prompts, each asked about as if it were not among them.
  private struct LeaveOneOut {
    private let router: NearestNeighboursRouter
    private let set: TrainingSet
    private let asked: [(row: Int, cosines: [Float])]
    /// Of each row; parts of one prompt are left out together.
    private let hashes: [String]

    init(router: NearestNeighboursRouter, set: TrainingSet) {
      self.router = router
      self.set = set
      let width = set.dimension
      hashes = set.examples.map(\.promptHash)
      // Some hundred prompts tell the choices apart.
      let step = max(1, set.examples.count / 800)
      asked = stride(from: 0, to: set.examples.count, by: step).map { row in
        let own = Array(router.embeddings[row * width..<(row + 1) * width])
        return (row, router.directions.cosines(with: own))
      }
    }

    /// For each weighting, what the experts lose in all that would be chosen under it.
    func losses(_ weightings: [Weighting], activity: NeighbourActivity?) -> [Double] {
      var totals = weightings.map { _ in 0.0 }
      for (row, cosines) in asked {
        var cosines = cosines
        let example = set.examples[row]
        activity?.lower(&cosines, for: example.input.activeExperts)
        let others = ranked(cosines).filter { hashes[$0.row] != hashes[row] }
        for (index, weighting) in weightings.enumerated() {
          // What was not measured can't be counted, for or against.
          let chosen = router.predict(others, weighting)
            .filter { example.losses[$0.expert] != nil }
            .min { $0.lossBitsPerByte < $1.lossBitsPerByte }
          totals[index] += chosen.flatMap { example.losses[$0.expert] } ?? 0
        }
      }
      return totals
    }
  }
}
