/// How many experts a mixture's gates made active for each training prompt of a nearest-neighbours
/// router, and how much a difference in that counts against a difference in meaning.
struct NeighbourActivity: Equatable, Sendable {
  let mean: Double
  let deviation: Double
  /// What a difference of one deviation, squared, takes from a cosine.
  var weight: Double
  /// Standardised. // (prompts)
  let values: [Float]

  /// Weights that training tries.
  static let weights = [0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]

  /// Nil where not every example says it.
  init?(training set: TrainingSet) {
    guard set.hasActiveExperts else { return nil }
    let scaler = FeatureScaler(set.examples.map { [$0.input.activeExperts ?? 0] })
    mean = Double(scaler.means[0])
    deviation = Double(scaler.deviations[0])
    weight = 0
    values = set.examples.map { Float(scaler.scale([$0.input.activeExperts ?? 0])[0]) }
  }

  /// Nil where the stored router does without.
  init?(stored: StoredRouter, rows: Int) throws(RoutingError) {
    guard stored.numbers["active_experts_weight"] != nil else { return nil }
    weight = try stored.number("active_experts_weight", in: 0...1e3)
    mean = try stored.number("active_experts_mean", in: 0...1e6)
    deviation = try stored.number("active_experts_deviation", in: 1e-9...1e6)
    values = try stored.tensor("active_experts", shape: [rows])
  }

  /// Takes from each cosine what the prompts differ in this. Where the number could not be had, it
  /// says nothing.
  func lower(_ cosines: inout [Float], for activeExperts: Float?) {
    guard weight > 0, let activeExperts, activeExperts.isFinite else { return }
    let query = Float(
      ((Double(activeExperts) - mean) / deviation)
        .clamped(-FeatureScaler.limit, FeatureScaler.limit))
    let weight = Float(weight)
    for row in cosines.indices {
      let difference = values[row] - query
      cosines[row] -= weight * difference * difference
    }
  }
}
