import Foundation
import Routing
import Testing
import Thalamus

@Suite struct RouterFilesTests {
  private static let encoder = RouterManifest.Encoder(name: "e", revision: "r", dimension: 3)

  private func router(_ strategy: RoutingStrategy) throws -> any TrainedRouter {
    let examples = (0..<20).map { index -> TrainingExample in
      let embedding = [Float(index % 2), Float(index % 3), Float(index % 5)]
      let side = Double(index % 2)
      return TrainingExample(
        promptHash: "\(index)", domain: "d",
        input: RouterInput(embedding: embedding, text: "text \(index)"),
        losses: ["a": side, "b": 1 - side / 2])
    }
    return try RouterTraining.train(strategy, on: TrainingSet(examples: examples))
  }

  private func save(_ strategy: RoutingStrategy, in files: RouterFiles) throws -> any TrainedRouter
  {
    let router = try router(strategy)
    let archive = try RouterArchive.encode(
      router, encoder: Self.encoder,
      training: .init(files: ["f"], prompts: 20, domains: ["d": 20], date: CalendarDate(Date())))
    try files.save(manifest: archive.manifest, weights: archive.weights, strategy: strategy)
    return router
  }

  @Test(arguments: RoutingStrategy.trained)
  func roundTrip(strategy: RoutingStrategy) throws {
    let folder = try TemporaryFolder()
    let files = RouterFiles(directory: folder.path + "/not/yet/there")
    #expect(try files.load(strategy)?.manifest == nil)
    let router = try save(strategy, in: files)
    let loaded = try #require(try files.load(strategy))
    #expect(loaded.manifest.strategy == strategy)
    #expect(loaded.manifest.encoder == Self.encoder)
    let input = RouterInput(embedding: [1, 2, 3], text: "a new text")
    let pairs = zip(try loaded.predictor.predict(input), try router.predict(input))
    for (stored, original) in pairs {
      #expect(stored.expert == original.expert)
      #expect(abs(stored.lossBitsPerByte - original.lossBitsPerByte) < 1e-3)
    }
    // Trained again, it takes the earlier one's place.
    _ = try save(strategy, in: files)
    #expect(try files.load(strategy)?.manifest.version == loaded.manifest.version)
  }

  @Test func damageIsAnError() throws {
    let folder = try TemporaryFolder()
    let files = RouterFiles(directory: folder.path)
    _ = try save(.ridge, in: files)
    let weights = folder.path + "/ridge/router.safetensors"
    var bytes = try Data(contentsOf: URL(filePath: weights))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(filePath: weights))
    #expect(throws: RoutingError.self) { try files.load(.ridge) }
    try FileManager.default.removeItem(atPath: weights)
    #expect(throws: (any Error).self) { try files.load(.ridge) }
  }

  @Test func liesInTheModelsFolder() {
    var configuration = Configuration()
    configuration.models.directory = "/m"
    configuration.router.directory = "r"
    #expect(RouterFiles(configuration).directory == "/m/r")
  }
}
