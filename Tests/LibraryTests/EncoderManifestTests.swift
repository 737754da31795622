import Foundation
import Library
import Testing

@Suite struct EncoderManifestTests {
  private static let good = """
    id: e
    weights: m.safetensors
    vocabulary: vocab.txt
    configuration: config.json
    max_tokens: 256
    """

  private func load(_ yaml: String) throws -> EncoderManifest {
    let folder = try TemporaryFolder()
    try folder.write(yaml, to: "encoder.yaml")
    return try EncoderManifest.load(folder: folder.path)
  }

  @Test func goodCard() throws {
    let manifest = try load(Self.good)
    #expect(manifest.id == "e")
    #expect(manifest.weights == "m.safetensors")
    #expect(manifest.maxTokens == 256)
  }

  @Test(arguments: [
    ("id: e\n", "", "key 'id' is missing"),
    ("256", "2", "max_tokens must be 3 to 8192"),
    ("256", "8193", "max_tokens must be 3 to 8192"),
    ("256", "some", "max_tokens"),
  ])
  func badCard(part: String, replacement: String, message: String) {
    #expect {
      try load(Self.good.replacing(part, with: replacement))
    } throws: { error in
      guard case .invalidCard(_, let problem)? = error as? LibraryError else { return false }
      return problem.contains(message)
    }
  }

  @Test func missingCard() throws {
    let folder = try TemporaryFolder()
    #expect(throws: LibraryError.self) { try EncoderManifest.load(folder: folder.path) }
  }

  @Test func missingWeightsAreNamed() async throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.good, to: "encoder.yaml")
    let pool = try Models.loader().computePool
    await #expect(
      throws: LibraryError.missingFile(expert: "e", path: folder.path + "/m.safetensors")
    ) { _ = try await SentenceEncoder.load(folder: folder.path, pool: pool) }
  }

  /// What only the model itself can tell.
  @Test(arguments: [
    ("max_tokens: 256", "max_tokens: 1024", ["1024", "512"]),
    ("router_layers: 3", "router_layers: 7", ["7", "6 layers"]),
    ("router_layers: 3", "router_layers: 0", ["0", "6 layers"]),
  ])
  func moreThanTheModelHas(part: String, replacement: String, words: [String]) async throws {
    let folder = try TemporaryFolder()
    let card = try String(contentsOfFile: Models.miniLM + "/encoder.yaml", encoding: .utf8)
    #expect(card.contains(part))
    try folder.write(card.replacing(part, with: replacement), to: "encoder.yaml")
    for file in ["model.safetensors", "vocab.txt", "config.json"] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.path + "/" + file, withDestinationPath: Models.miniLM + "/" + file)
    }
    let pool = try Models.loader().computePool
    await #expect {
      _ = try await SentenceEncoder.load(folder: folder.path, pool: pool)
    } throws: { error in
      guard case .unloadable(_, let problem)? = error as? LibraryError else { return false }
      return words.allSatisfy { problem.contains($0) }
    }
  }
}
