/// RouterRetriever's pilot embeddings (arXiv 2409.02685).
///
/// Training prompts are grouped by (domain, best expert); each group's centroid is a pilot of that
/// expert; a prompt goes to the expert with the highest mean similarity to its pilots. Experts come
/// and go with their pilots alone. For the objective the gap in similarity is turned into a gap in
/// loss by one slope, fitted through the origin on the training prompts; the order of the experts
/// is the similarity's own.
package struct PilotRouter: LossPredictor, Equatable {
  package var strategy: RoutingStrategy { .pilot }
  package let experts: [String]
  package let space: EmbeddingSpace
  /// Unit vectors, one after the other. // (pilots, dimension)
  let pilots: [Float]
  /// The expert of each pilot, by its place in ``experts``. An expert without pilots is predicted
  /// as if its similarity were -1.
  let owners: [Int]
  let baseLoss: Double
  let slope: Double
  let deviation: Double

  package init(training set: TrainingSet) {
    let space = EmbeddingSpace(around: set)
    struct Group: Hashable {
      var domain: String
      var expert: Int
    }
    var sums: [Group: [Float]] = [:]
    for example in set.examples {
      let known = example.losses.filter { set.experts.contains($0.key) }
      guard let best = known.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })?.key,
        let expert = set.experts.firstIndex(of: best)
      else { continue }
      let unit = space.unit(example.input.embedding)
      let group = Group(domain: example.domain, expert: expert)
      sums[group] = sums[group].map { zip($0, unit).map(+) } ?? unit
    }
    let groups = sums.keys.sorted { ($0.expert, $0.domain) < ($1.expert, $1.domain) }
    let pilots = groups.flatMap { Similarity.normalised(sums[$0] ?? []) }
    let owners = groups.map(\.expert)

    // Loss gaps against similarity gaps, through the origin.
    var products = 0.0
    var squares = 0.0
    var chosenLosses: [Double] = []
    for example in set.examples {
      let similarity = Self.similarities(
        space.unit(example.input.embedding), pilots, owners, set.experts.count)
      guard let best = similarity.indices.max(by: { similarity[$0] < similarity[$1] }),
        let bestLoss = example.losses[set.experts[best]]
      else { continue }
      chosenLosses.append(bestLoss)
      for (index, expert) in set.experts.enumerated() where similarity[index] > -1 {
        guard let loss = example.losses[expert] else { continue }
        let gap = similarity[best] - similarity[index]
        products += gap * (loss - bestLoss)
        squares += gap * gap
      }
    }
    let mean = chosenLosses.reduce(0, +) / Double(max(1, chosenLosses.count))
    let variance =
      chosenLosses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, chosenLosses.count))
    self.init(
      experts: set.experts, space: space, pilots: pilots, owners: owners,
      baseLoss: mean, slope: squares > 0 ? max(0.01, products / squares) : 1,
      deviation: variance.squareRoot())
  }

  init(
    experts: [String], space: EmbeddingSpace, pilots: [Float], owners: [Int], baseLoss: Double,
    slope: Double, deviation: Double
  ) {
    self.experts = experts
    self.space = space
    self.pilots = pilots
    self.owners = owners
    self.baseLoss = baseLoss
    self.slope = slope
    self.deviation = deviation
  }

  package func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction] {
    let query = try space.query(input.embedding)
    let similarities = Self.similarities(query, pilots, owners, experts.count)
    let top = similarities.max() ?? 0
    return experts.indices.map { index in
      LossPrediction(
        expert: experts[index],
        lossBitsPerByte: baseLoss + slope * (top - similarities[index]),
        standardError: deviation)
    }
  }

  /// The same router without one expert: only prompts that went to it go elsewhere.
  package func removing(_ expert: String) -> PilotRouter {
    guard let gone = experts.firstIndex(of: expert) else { return self }
    var kept: [Float] = []
    var keptOwners: [Int] = []
    for (pilot, owner) in owners.enumerated() where owner != gone {
      kept += pilots[(pilot * space.dimension)..<((pilot + 1) * space.dimension)]
      keptOwners.append(owner > gone ? owner - 1 : owner)
    }
    return PilotRouter(
      experts: experts.filter { $0 != expert }, space: space, pilots: kept,
      owners: keptOwners, baseLoss: baseLoss, slope: slope, deviation: deviation)
  }

  /// The same router with one more expert, by its own pilots; nothing else is trained.
  package func adding(
    _ expert: String, pilots new: [[Float]]
  ) throws(RoutingError) -> PilotRouter {
    for pilot in new where pilot.count != space.dimension {
      throw .wrongDimension(field: "pilot", expected: space.dimension, found: pilot.count)
    }
    guard !experts.contains(expert) else {
      throw .invalidValue(field: "expert", value: expert, expected: "one that is not there yet")
    }
    return PilotRouter(
      experts: experts + [expert], space: space,
      pilots: pilots + new.flatMap { space.unit($0) },
      owners: owners + new.map { _ in experts.count }, baseLoss: baseLoss, slope: slope,
      deviation: deviation)
  }

  /// Mean similarity of a prompt to each expert's pilots; -1 for an expert without.
  private static func similarities(
    _ query: [Float], _ pilots: [Float], _ owners: [Int], _ experts: Int
  ) -> [Double] {
    var sums = Array(repeating: 0.0, count: experts)
    var counts = Array(repeating: 0.0, count: experts)
    for (pilot, cosine) in Similarity.cosines(pilots, with: query).enumerated() {
      sums[owners[pilot]] += Double(cosine)
      counts[owners[pilot]] += 1
    }
    return sums.indices.map { counts[$0] > 0 ? sums[$0] / counts[$0] : -1 }
  }
}
