/// How an expert is chosen, by the name that requests and configuration use.
package enum RoutingStrategy: Hashable, Sendable {
  case ridge, knn, kmeans, pilot, random
  /// Always this expert, if the constraints allow it.
  case single(String)

  package static let knownNames = ["ridge", "knn", "kmeans", "pilot", "random", "single:<expert>"]

  /// Strategies that predict losses and need a trained router.
  package static let trained: [RoutingStrategy] = [.ridge, .knn, .kmeans, .pilot]

  /// Whether its router takes a mixture's mean number of active experts as a feature.
  package var canUseActiveExperts: Bool { self == .ridge || self == .knn }

  package init(name: String) throws(RoutingError) {
    switch name.lowercased() {
    case "ridge": self = .ridge
    case "knn": self = .knn
    case "kmeans": self = .kmeans
    case "pilot": self = .pilot
    case "random": self = .random
    default:
      guard name.lowercased().hasPrefix("single:"), name.utf8.count > 7 else {
        throw .unknownStrategy(name)
      }
      self = .single(String(name.dropFirst(7)))
    }
  }

  package var name: String {
    switch self {
    case .ridge: "ridge"
    case .knn: "knn"
    case .kmeans: "kmeans"
    case .pilot: "pilot"
    case .random: "random"
    case .single(let expert): "single:\(expert)"
    }
  }
}

extension RoutingStrategy: Codable {
  package init(from decoder: any Decoder) throws {
    try self.init(name: try decoder.singleValueContainer().decode(String.self))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }
}
