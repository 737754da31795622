import Foundation
import Routing
import Testing

@Suite struct RouterArchiveTests {
  static let strategies = RoutingStrategy.trained

  static func archive(
    _ strategy: RoutingStrategy
  ) throws -> (router: any TrainedRouter, manifest: Data, weights: Data) {
    let set = try Planted.domains(count: 120, seed: 3)
    let router = try RouterTraining.train(strategy, on: set)
    let (manifest, weights) = try RouterArchive.encode(
      router, encoder: .init(name: "made-up", revision: "0", dimension: 24),
      training: .init(
        files: ["a.jsonl"], prompts: 120, domains: set.domainCounts,
        date: try #require(CalendarDate("2026-01-02"))),
      metrics: ["agreement": 0.9])
    return (router, manifest, weights)
  }

  @Test(arguments: strategies)
  func aRouterComesBack(strategy: RoutingStrategy) throws {
    let (router, manifest, weights) = try Self.archive(strategy)
    let loaded = try RouterArchive.decode(manifest: manifest, weights: weights)
    #expect(loaded.manifest.strategy == strategy)
    #expect(loaded.manifest.version.hasPrefix("\(strategy.name)-"))
    for example in try Planted.domains(count: 40, seed: 4).examples {
      let before = try router.predict(example.input)
      let after = try loaded.predictor.predict(example.input)
      for (a, b) in zip(before, after) {
        #expect(a.expert == b.expert)
        #expect(abs(a.lossBitsPerByte - b.lossBitsPerByte) < 1e-3)
        #expect(abs(a.standardError - b.standardError) < 1e-3)
      }
    }
  }

  /// Routers with one name choose alike.
  @Test func whatElsePredictionsDependOnIsInTheVersion() throws {
    let set = try Planted.domains(count: 120, seed: 3)
    func version(temperature: Double, encoder: String = "0") throws -> String {
      let archive = try RouterArchive.encode(
        NearestNeighboursRouter(
          training: set, weighting: .init(neighbours: 12, temperature: temperature)),
        encoder: .init(name: "made-up", revision: encoder, dimension: 24),
        training: .init(
          files: [], prompts: 120, domains: set.domainCounts,
          date: try #require(CalendarDate("2026-01-02"))))
      return try RouterArchive.decode(manifest: archive.manifest, weights: archive.weights)
        .manifest.version
    }
    let first = try version(temperature: 0.05)
    #expect(try version(temperature: 0.05) == first)
    #expect(try version(temperature: 0.06) != first)
    #expect(try version(temperature: 0.05, encoder: "1") != first)
  }

  @Test func mutatedBytesGiveErrors() throws {
    let (_, manifest, weights) = try Self.archive(.pilot)
    var generator = SeededGenerator(seed: 12)
    #expect(throws: RoutingError.self) {
      try RouterArchive.decode(manifest: manifest, weights: weights.dropLast())
    }
    for _ in 0..<1500 {
      // The tensor reader itself, without the hash in front of it.
      var bytes = Array(weights)
      for _ in 0..<(1 + generator.next(below: 4)) {
        bytes[generator.next(below: min(bytes.count, 300))] = UInt8(generator.next(below: 256))
      }
      if generator.next(below: 3) == 0 { bytes = Array(bytes.prefix(generator.next(below: 600))) }
      _ = try? TensorArchive.decode(bytes)
      var text = Array(manifest)
      text[generator.next(below: text.count)] = UInt8(generator.next(below: 256))
      _ = try? RouterArchive.decode(manifest: Data(text), weights: weights)
    }
    #expect(throws: RoutingError.self) { try TensorArchive.decode([]) }
    #expect(throws: RoutingError.self) {
      try TensorArchive.decode(Array(repeating: 255, count: 64))
    }
  }

  @Test func overlappingTensorsAreRefused() throws {
    let header =
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
      + #""b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    var bytes: [UInt8] = [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0]
    bytes += Array(header.utf8) + Array(repeating: 0, count: 8)
    #expect(throws: RoutingError.self) { try TensorArchive.decode(bytes) }
  }

  @Test func digestsAreSHA256() {
    #expect(
      SHA256.hex(of: "abc")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      SHA256.hex(of: "")
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.hex(of: String(repeating: "a", count: 1_000_000))
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// Pieces of any length make the digest of the whole.
  @Test(arguments: [1, 3, 55, 56, 63, 64, 65, 127, 128, 1000]) func digestsOfPieces(length: Int) {
    let bytes = (0..<777).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var hash = SHA256()
    for start in stride(from: 0, to: bytes.count, by: length) {
      Array(bytes[start..<min(start + length, bytes.count)]).withUnsafeBytes { hash.add($0) }
    }
    #expect(hash.hex == SHA256.hex(of: bytes))
    #expect(hash.digest == SHA256.digest(of: bytes))
  }
}
