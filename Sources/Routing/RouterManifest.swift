import Foundation

/// `router.json`: what a stored router is, and what it was trained on.
package struct RouterManifest: Codable, Equatable, Sendable {
  package static let currentFormat = 1

  /// The sentence encoder whose embeddings the router was trained on.
  package struct Encoder: Codable, Equatable, Sendable {
    package var name: String
    /// SHA-256 of the encoder's weights: with another encoder the router means nothing.
    package var revision: String
    package var dimension: Int
    /// Layers of it that the prompts went through, from the first; nil for all.
    package var layers: Int?

    package init(name: String, revision: String, dimension: Int, layers: Int? = nil) {
      self.name = name
      self.revision = revision
      self.dimension = dimension
      self.layers = layers
    }
  }

  /// What the router was trained on.
  package struct Training: Codable, Equatable, Sendable {
    package var files: [String]
    package var prompts: Int
    package var domains: [String: Int]
    package var date: CalendarDate
    /// Revision (a hash of its weights) that each expert had when the router was trained. Outcomes don't say
    /// what they were measured of: `thalamus outcomes export` writes those of the experts as they are.
    package var expertRevisions: [String: String]

    enum CodingKeys: String, CodingKey {
      case files, prompts, domains, date
      case expertRevisions = "expert_revisions"
    }

    package init(
      files: [String], prompts: Int, domains: [String: Int], date: CalendarDate,
      expertRevisions: [String: String] = [:]
    ) {
      self.files = files
      self.prompts = prompts
      self.domains = domains
      self.date = date
      self.expertRevisions = expertRevisions
    }
  }

  package var format: Int
  /// The strategy and 12 digits of a hash over all that a prediction depends on: equal ids are equal
  /// routers.
  package var version: String
  package var strategy: RoutingStrategy
  package var encoder: Encoder
  package var experts: [String]
  package var textFeatures: [String]
  package var numbers: [String: Double]
  package var training: Training
  /// Measured on held-out prompts, such as `mean_regret` and `agreement`.
  package var metrics: [String: Double]
  package var weightsSHA256: String
  /// The mixture whose mean number of active experts the router takes as a feature; nil for none.
  package var gateExpert: String?

  enum CodingKeys: String, CodingKey {
    case format, version, strategy, encoder, experts, numbers, training, metrics
    case textFeatures = "text_features"
    case weightsSHA256 = "weights_sha256"
    case gateExpert = "gate_expert"
  }
}

/// A stored router in memory: manifest and predictor.
package struct LoadedRouter: Sendable {
  package let manifest: RouterManifest
  package let predictor: any TrainedRouter
}

/// Writes and reads routers as two blobs: `router.json` and `router.safetensors`.
package enum RouterArchive {
  package static let manifestName = "router.json"
  package static let weightsName = "router.safetensors"

  package static func encode(
    _ router: any TrainedRouter, encoder: RouterManifest.Encoder,
    training: RouterManifest.Training, metrics: [String: Double] = [:], gateExpert: String? = nil
  ) throws -> (manifest: Data, weights: Data) {
    let stored = router.stored
    guard stored.dimension == encoder.dimension else {
      throw RoutingError.wrongDimension(
        field: "encoder", expected: stored.dimension, found: encoder.dimension)
    }
    let tensors = stored.tensors.values.sorted { $0.name < $1.name }
    let weights = try TensorArchive.encode(tensors)
    let hash = SHA256.hex(of: weights)
    // Equal weights with other numbers (a temperature) or experts are another router.
    let numbers = stored.numbers.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let identity =
      [
        hash, encoder.name, encoder.revision, encoder.layers.map { "\($0)" } ?? "",
        gateExpert ?? "",
      ]
      + stored.experts + numbers
    let version = SHA256.hex(of: Data(identity.joined(separator: "\n").utf8)).prefix(12)
    let manifest = RouterManifest(
      format: RouterManifest.currentFormat,
      version: "\(router.strategy.name)-\(version)", strategy: router.strategy,
      encoder: encoder, experts: stored.experts, textFeatures: TextFeatures.names,
      numbers: stored.numbers, training: training, metrics: metrics, weightsSHA256: hash,
      gateExpert: gateExpert)
    let json = JSONEncoder()
    json.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (try json.encode(manifest), Data(weights))
  }

  package static func decode(manifest: Data, weights: Data) throws(RoutingError) -> LoadedRouter {
    let read: RouterManifest
    do {
      read = try JSONDecoder().decode(RouterManifest.self, from: manifest)
    } catch {
      throw .damagedRouter(field: manifestName, problem: "\(error)".prefix(300).description)
    }
    guard read.format == RouterManifest.currentFormat else {
      throw .damagedRouter(field: "format", problem: "\(read.format) is not known")
    }
    guard read.textFeatures == TextFeatures.names else {
      throw .damagedRouter(
        field: "text_features", problem: "differ from this version's; train the router again")
    }
    guard (1...10_000).contains(read.experts.count),
      Set(read.experts).count == read.experts.count
    else { throw .damagedRouter(field: "experts", problem: "\(read.experts.count) names") }
    guard (1...100_000).contains(read.encoder.dimension) else {
      throw .damagedRouter(field: "encoder.dimension", problem: "\(read.encoder.dimension)")
    }
    let bytes = Array(weights)
    guard SHA256.hex(of: bytes) == read.weightsSHA256 else {
      throw .damagedRouter(field: "weights_sha256", problem: "\(weightsName) has another hash")
    }
    let stored = StoredRouter(
      experts: read.experts, dimension: read.encoder.dimension, numbers: read.numbers,
      tensors: Array(try TensorArchive.decode(bytes).values))
    let predictor: any TrainedRouter
    switch read.strategy {
    case .ridge: predictor = try RidgeRouter(stored: stored)
    case .knn: predictor = try NearestNeighboursRouter(stored: stored)
    case .kmeans: predictor = try KMeansRouter(stored: stored)
    case .pilot: predictor = try PilotRouter(stored: stored)
    case .random, .single:
      throw .damagedRouter(field: "strategy", problem: "\(read.strategy.name) has no weights")
    }
    return LoadedRouter(manifest: read, predictor: predictor)
  }
}
