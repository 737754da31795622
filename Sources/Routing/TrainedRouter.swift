/// A router that can be stored: its numbers as tensors and a few named scalars.
package protocol TrainedRouter: LossPredictor {
  var stored: StoredRouter { get }
  /// From stored numbers, every one checked.
  init(stored: StoredRouter) throws(RoutingError)
}

/// The numbers of a trained router, whatever its strategy.
package struct StoredRouter: Sendable {
  package var experts: [String]
  package var dimension: Int
  package var numbers: [String: Double]
  package var tensors: [String: TensorArchive.Tensor]

  package init(
    experts: [String], dimension: Int, numbers: [String: Double],
    tensors: [TensorArchive.Tensor]
  ) {
    self.experts = experts
    self.dimension = dimension
    self.numbers = numbers
    self.tensors = Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
  }

  /// The values of a tensor that must have this shape and be finite. -1 means any size.
  func tensor(
    _ name: String, shape: [Int], allowsNaN: Bool = false
  ) throws(RoutingError) -> [Float] {
    guard let tensor = tensors[name] else {
      throw .damagedRouter(field: name, problem: "is missing")
    }
    let fits =
      tensor.shape.count == shape.count
      && zip(tensor.shape, shape).allSatisfy { $1 < 0 || $0 == $1 }
    guard fits, tensor.values.count == tensor.shape.reduce(1, *) else {
      throw .damagedRouter(field: name, problem: "shape \(tensor.shape), expected \(shape)")
    }
    guard tensor.values.allSatisfy({ $0.isFinite || (allowsNaN && $0.isNaN) }) else {
      throw .damagedRouter(field: name, problem: "holds numbers that are not finite")
    }
    return tensor.values
  }

  func number(_ name: String, in range: ClosedRange<Double>) throws(RoutingError) -> Double {
    guard let number = numbers[name], range.contains(number) else {
      throw .damagedRouter(
        field: name, problem: numbers[name].map { "\($0) is out of range" } ?? "is missing")
    }
    return number
  }
}

extension RidgeRouter: TrainedRouter {
  package var stored: StoredRouter {
    let width = scaler.means.count
    return StoredRouter(
      experts: experts, dimension: dimension,
      numbers: ["trained_rows": Double(trainedRows)]
        .merging(usesActiveExperts ? ["uses_active_experts": 1] : [:]) { $1 },
      tensors: [
        .init("means", shape: [width], values: scaler.means),
        .init("deviations", shape: [width], values: scaler.deviations),
        .init("weights", shape: [experts.count, width], values: weights.flatMap { $0 }),
        .init("intercepts", shape: [experts.count], values: intercepts),
        .init("lambdas", shape: [experts.count], values: lambdas.map(Float.init)),
        .init(
          "residual_deviations", shape: [experts.count],
          values: residualDeviations.map(Float.init)),
        .init("leverage", shape: [leverage.count], values: leverage),
      ])
  }

  package init(stored: StoredRouter) throws(RoutingError) {
    let usesActiveExperts = stored.numbers["uses_active_experts"] == 1
    let width = stored.dimension + TextFeatures.names.count + (usesActiveExperts ? 1 : 0)
    let count = stored.experts.count
    let flat = try stored.tensor("weights", shape: [count, width])
    let deviations = try stored.tensor("deviations", shape: [width])
    guard deviations.allSatisfy({ $0 > 0 }) else {
      throw .damagedRouter(field: "deviations", problem: "must be above 0")
    }
    self.init(
      experts: stored.experts,
      scaler: FeatureScaler(
        means: try stored.tensor("means", shape: [width]), deviations: deviations),
      weights: (0..<count).map { Array(flat[($0 * width)..<(($0 + 1) * width)]) },
      intercepts: try stored.tensor("intercepts", shape: [count]),
      lambdas: try stored.tensor("lambdas", shape: [count]).map(Double.init),
      residualDeviations: try stored.tensor("residual_deviations", shape: [count])
        .map(Double.init),
      leverage: try stored.tensor("leverage", shape: [width * (width + 1) / 2]),
      trainedRows: Int(try stored.number("trained_rows", in: 1...1e9)),
      usesActiveExperts: usesActiveExperts)
  }
}

extension NearestNeighboursRouter: TrainedRouter {
  package var stored: StoredRouter {
    let rows = losses.count / max(1, experts.count)
    var numbers = [
      "neighbours": Double(weighting.neighbours), "temperature": weighting.temperature,
    ]
    var tensors: [TensorArchive.Tensor] = [
      space.stored,
      .init("embeddings", shape: [rows, space.dimension], type: .float16, values: embeddings),
      .init("losses", shape: [rows, experts.count], values: losses),
    ]
    if let activity {
      numbers["active_experts_weight"] = activity.weight
      numbers["active_experts_mean"] = activity.mean
      numbers["active_experts_deviation"] = activity.deviation
      tensors.append(.init("active_experts", shape: [rows], values: activity.values))
    }
    return StoredRouter(
      experts: experts, dimension: space.dimension, numbers: numbers, tensors: tensors)
  }

  package init(stored: StoredRouter) throws(RoutingError) {
    let losses = try stored.tensor(
      "losses", shape: [-1, stored.experts.count], allowsNaN: true)
    self.init(
      experts: stored.experts,
      weighting: Weighting(
        neighbours: Int(try stored.number("neighbours", in: 1...1e6)),
        temperature: try stored.number("temperature", in: 1e-6...1e6)),
      space: try EmbeddingSpace(stored: stored),
      embeddings: try stored.tensor(
        "embeddings", shape: [losses.count / stored.experts.count, stored.dimension]),
      losses: losses,
      activity: try NeighbourActivity(
        stored: stored, rows: losses.count / stored.experts.count))
  }
}

extension KMeansRouter: TrainedRouter {
  package var stored: StoredRouter {
    let clusters = means.count / max(1, experts.count)
    return StoredRouter(
      experts: experts, dimension: space.dimension, numbers: [:],
      tensors: [
        space.stored,
        .init("centroids", shape: [clusters, space.dimension], values: centroids),
        .init("means", shape: [clusters, experts.count], values: means),
        .init("deviations", shape: [clusters, experts.count], values: deviations),
      ])
  }

  package init(stored: StoredRouter) throws(RoutingError) {
    let means = try stored.tensor("means", shape: [-1, stored.experts.count])
    let clusters = means.count / stored.experts.count
    self.init(
      experts: stored.experts, space: try EmbeddingSpace(stored: stored),
      centroids: try stored.tensor("centroids", shape: [clusters, stored.dimension]),
      means: means,
      deviations: try stored.tensor("deviations", shape: [clusters, stored.experts.count]))
  }
}

extension PilotRouter: TrainedRouter {
  package var stored: StoredRouter {
    StoredRouter(
      experts: experts, dimension: space.dimension,
      numbers: ["base_loss": baseLoss, "slope": slope, "deviation": deviation],
      tensors: [
        space.stored,
        .init("pilots", shape: [owners.count, space.dimension], values: pilots),
        .init("owners", shape: [owners.count], values: owners.map(Float.init)),
      ])
  }

  package init(stored: StoredRouter) throws(RoutingError) {
    let owners = try stored.tensor("owners", shape: [-1])
    guard owners.allSatisfy({ $0 >= 0 && $0 < Float(stored.experts.count) }) else {
      throw .damagedRouter(field: "owners", problem: "names an expert that is not there")
    }
    self.init(
      experts: stored.experts, space: try EmbeddingSpace(stored: stored),
      pilots: try stored.tensor("pilots", shape: [owners.count, stored.dimension]),
      owners: owners.map { Int($0) },
      baseLoss: try stored.number("base_loss", in: 0...1e6),
      slope: try stored.number("slope", in: 0...1e9),
      deviation: try stored.number("deviation", in: 0...1e9))
  }
}
