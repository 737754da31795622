/// The strategy registry: how each named strategy is trained.
package enum RouterTraining {
  /// Trains the router of a strategy. `random` and `single` need none: they are errors here.
  package static func train(
    _ strategy: RoutingStrategy, on set: TrainingSet
  ) throws(RoutingError) -> any TrainedRouter {
    switch strategy {
    case .ridge: return try RidgeRouter(training: set)
    case .knn: return NearestNeighboursRouter(training: set)
    case .kmeans: return KMeansRouter(training: set)
    case .pilot: return PilotRouter(training: set)
    case .random, .single:
      throw .invalidValue(
        field: "strategy", value: strategy.name,
        expected: "one that is trained: "
          + RoutingStrategy.trained.map(\.name).joined(separator: ", "))
    }
  }
}
