/// Each expert's mean loss in the cluster of prompts that is nearest.
package struct KMeansRouter: LossPredictor, Equatable {
  package var strategy: RoutingStrategy { .kmeans }
  package let experts: [String]
  package let space: EmbeddingSpace
  /// Unit vectors. // (clusters, dimension)
  let centroids: [Float]
  /// (clusters, experts)
  let means: [Float]
  let deviations: [Float]

  package static let defaultClusters = 32
  /// Outcomes that the mean over all clusters counts for in each, so that small ones stay sane.
  static let priorOutcomes = 4.0

  package init(
    training set: TrainingSet, clusters: Int = defaultClusters, seed: UInt64 = 1
  ) {
    let space = EmbeddingSpace(around: set)
    let vectors = set.examples.map { space.unit($0.input.embedding) }
    let count = max(1, min(clusters, vectors.count))
    // An expert's mean is that of all experts and what it loses beyond it: not every one may have been
    // measured on every prompt.
    let levels = set.levels
    let known = set.examples.indices.filter { !levels[$0].isNaN }
    let overallLevel = known.reduce(0) { $0 + levels[$1] } / Double(max(1, known.count))
    func excess(_ rows: [Int], _ expert: String) -> [Double] {
      rows.compactMap { row in set.examples[row].losses[expert].map { $0 - levels[row] } }
    }
    let overall = set.experts.map { expert in
      let all = excess(known, expert)
      // Where nothing is known of it, it is held to be as good as the others are.
      return all.reduce(0, +) / Double(max(1, known.count))
    }
    // Starts end in different places: the one under which the training prompts, each left out of its
    // cluster's means, would have been given to the experts with the least loss.
    func loss(_ assignment: [Int]) -> Double {
      let members = Dictionary(grouping: known) { assignment[$0] }
      var total = 0.0
      // In order: the last bits of a sum must not depend on a hash.
      for rows in members.keys.sorted().compactMap({ members[$0] }) {
        let sums = set.experts.map { excess(rows, $0) }.map { ($0.reduce(0, +), Double($0.count)) }
        // A prompt's parts are left out together.
        let parts = Dictionary(grouping: rows) { set.examples[$0].promptHash }
        for row in rows {
          let example = set.examples[row]
          let own = parts[example.promptHash] ?? []
          let chosen = set.experts.enumerated().compactMap { column, expert in
            example.losses[expert].map { loss in
              let left = excess(own, expert)
              let sum = sums[column].0 - left.reduce(0, +) + Self.priorOutcomes * overall[column]
              let count = sums[column].1 - Double(left.count) + Self.priorOutcomes
              return (predicted: sum / count, loss: loss)
            }
          }.min { $0.predicted < $1.predicted }
          total += chosen?.loss ?? 0
        }
      }
      return total
    }
    let trials = (0..<Self.starts).map { start in
      Self.cluster(vectors, count: count, seed: seed &+ UInt64(start))
    }
    let (centroids, assignment) =
      trials.map { ($0, loss($0.assignment)) }.min { $0.1 < $1.1 }?.0 ?? ([], [])
    var means: [Float] = []
    var deviations: [Float] = []
    for cluster in centroids.indices {
      let members = known.filter { assignment[$0] == cluster }
      let level =
        (members.reduce(0) { $0 + levels[$1] } + Self.priorOutcomes * overallLevel)
        / (Double(members.count) + Self.priorOutcomes)
      for (column, expert) in set.experts.enumerated() {
        let losses = members.compactMap { set.examples[$0].losses[expert] }
        let count = Double(losses.count) + Self.priorOutcomes
        let mean =
          max(
            0,
            level
              + (excess(members, expert).reduce(0, +) + Self.priorOutcomes * overall[column])
              / count)
        let spread = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        means.append(Float(mean))
        deviations.append(
          losses.count > 1 ? Float((spread / Double(losses.count - 1)).squareRoot()) : Float(mean))
      }
    }
    self.init(
      experts: set.experts, space: space, centroids: centroids.flatMap { $0 },
      means: means, deviations: deviations)
  }

  init(
    experts: [String], space: EmbeddingSpace, centroids: [Float], means: [Float],
    deviations: [Float]
  ) {
    self.experts = experts
    self.space = space
    self.centroids = centroids
    self.means = means
    self.deviations = deviations
  }

  package func predict(_ input: RouterInput) throws(RoutingError) -> [LossPrediction] {
    let query = try space.query(input.embedding)
    let cosines = Similarity.cosines(centroids, with: query)
    guard let nearest = cosines.indices.max(by: { cosines[$0] < cosines[$1] }) else { return [] }
    return experts.indices.map { column in
      let at = nearest * experts.count + column
      return LossPrediction(
        expert: experts[column], lossBitsPerByte: Double(means[at]),
        standardError: Double(deviations[at]))
    }
  }

  private static let starts = 8

  /// Spherical k-means, started by k-means++, at most 30 rounds.
  private static func cluster(
    _ vectors: [[Float]], count: Int, seed: UInt64
  ) -> (centroids: [[Float]], assignment: [Int]) {
    var generator = SeededGenerator(seed: seed)
    var centroids = [vectors[generator.next(below: vectors.count)]]
    var distances = vectors.map { _ in Double.infinity }
    while centroids.count < count {
      let newest = centroids[centroids.count - 1]
      for (index, vector) in vectors.enumerated() {
        distances[index] = min(distances[index], max(0, 1 - cosine(vector, newest)))
      }
      var left = generator.nextUnit() * distances.reduce(0, +)
      var chosen = vectors.count - 1
      for (index, distance) in distances.enumerated() {
        left -= distance
        if left < 0 {
          chosen = index
          break
        }
      }
      centroids.append(vectors[chosen])
    }
    var assignment = vectors.map { _ in -1 }
    for _ in 0..<30 {
      let flat = centroids.flatMap { $0 }
      var changed = false
      for (index, vector) in vectors.enumerated() {
        let cosines = Similarity.cosines(flat, with: vector)
        let best = cosines.indices.max { cosines[$0] < cosines[$1] } ?? 0
        if assignment[index] != best {
          assignment[index] = best
          changed = true
        }
      }
      guard changed else { break }
      var sums = centroids.map { $0.map { _ in Float(0) } }
      for (index, vector) in vectors.enumerated() {
        for j in vector.indices { sums[assignment[index]][j] += vector[j] }
      }
      // A cluster that lost all its members keeps its place.
      for index in sums.indices where sums[index].contains(where: { $0 != 0 }) {
        centroids[index] = Similarity.normalised(sums[index])
      }
    }
    return (centroids, assignment)
  }

  private static func cosine(_ a: [Float], _ b: [Float]) -> Double {
    var sum: Float = 0
    for j in a.indices { sum += a[j] * b[j] }
    return Double(sum)
  }
}
