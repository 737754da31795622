import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Random-weight models of the mixture-of-experts families against Hugging Face transformers.
@Suite struct MixtureModelTests {
  static let names = [
    "tiny-mixtral", "tiny-olmoe", "tiny-qwen2moe", "tiny-qwen3moe", "tiny-granitemoe",
    "tiny-granitemoeshared", "tiny-qwen35moe", "tiny-qwen3next", "tiny-granitehybrid",
    "tiny-nemotronh-moe",
  ]

  /// What scripts/fixtures/moe_families.py, hybrid_families.py and mamba_families.py write beside the logits.
  private struct Choices: Decodable {
    /// Tokens that chose an expert. // (layers, experts)
    var expertCounts: [[Int]]
  }

  private func golden(_ name: String) throws -> Fixture.Decoding {
    try Fixture.json(name, as: Fixture.Decoding.self)
  }

  private func decoder(
    _ name: String, precision: WeightMatrix.Precision = .float,
    adjust: (inout DecoderOptions) -> Void = { _ in }
  ) throws -> Decoder {
    try Fixture.decoder(Fixture.path("\(name).gguf"), precision: precision, adjust: adjust)
  }

  @Test(arguments: names) func logitsEqualTheReference(name: String) throws {
    let golden = try golden(name)
    let expected = try #require(golden.logits)
    let logits = try decoder(name).allLogits(golden.tokens, chunk: 512)
    let largest = expected.joined().reduce(0) { max($0, abs($1)) }
    for (row, expectedRow) in zip(logits, expected) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4 * largest)
    }
  }

  @Test(arguments: names) func greedyTextEqualsTheReference(name: String) throws {
    let golden = try golden(name)
    let decoder = try decoder(name)
    for (prompt, expected) in zip(golden.prompts, golden.greedy) {
      #expect(expected.count == 16)
      #expect(try decoder.greedy(prompt, count: expected.count) == expected)
    }
  }

  @Test(arguments: names) func expertsAreThoseOfTheReference(name: String) throws {
    let golden = try golden(name)
    let expected = try Fixture.json(name, as: Choices.self).expertCounts
    let decoder = try decoder(name)
    _ = try decoder.allLogits(golden.tokens, chunk: 512)
    let statistics = try #require(decoder.gateStatistics(segment: 0))
    for (layer, counts) in expected.enumerated() {
      for (expert, count) in counts.enumerated() {
        #expect(statistics.count(layer: layer, expert: expert) == count)
      }
    }
    let used = try #require(decoder.configuration.mixture).expertsUsed
    #expect(
      statistics.choiceCount == golden.tokens.count * expected.count { $0.contains { $0 > 0 } })
    #expect(statistics.maximumActive == used)
    #expect(statistics.meanActive == Double(used))
  }

  @Test(arguments: names, [1, 5, 17]) func chunksEqualOneGo(name: String, chunk: Int) throws {
    let golden = try golden(name)
    let decoder = try decoder(name)
    let whole = try decoder.allLogits(golden.tokens, chunk: 512)
    let chunked = try decoder.allLogits(golden.tokens, chunk: chunk)
    for (row, expectedRow) in zip(chunked, whole) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4)
    }
  }

  /// Sequences of different lengths, some reading and some decoding, in one pass; each segment's
  /// statistics are those of the sequence alone.
  @Test(arguments: names, [WeightMatrix.Precision.float, .quantized])
  func batchEqualsAlone(name: String, precision: WeightMatrix.Precision) throws {
    let golden = try golden(name)
    let decoder = try decoder(name, precision: precision)
    let texts = [0..<1, 3..<40, 10..<60, 50..<59].map { Array(golden.tokens[$0]) }
    var alone: [[Float]] = []
    var aloneStatistics: [GateStatistics?] = []
    for text in texts {
      let cache = decoder.makeCache()
      if text.count > 40 {
        try decoder.forward([
          BatchSegment(cache: cache, tokens: text.dropLast(), logits: .none)
        ])
      }
      let collector = LogitCollector()
      try decoder.forward([BatchSegment(cache: cache, tokens: text[cache.count...])]) {
        collector.receive($0)
      }
      alone.append(collector[0, text.count - 1])
      aloneStatistics.append(decoder.gateStatistics(segment: 0))
    }
    let caches = texts.map { _ in decoder.makeCache() }
    try decoder.forward([
      BatchSegment(cache: caches[2], tokens: texts[2].dropLast(), logits: .none)
    ])
    let collector = LogitCollector()
    try decoder.forward(
      texts.indices.map {
        BatchSegment(cache: caches[$0], tokens: texts[$0][caches[$0].count...])
      }
    ) { collector.receive($0) }
    #expect(collector.count == texts.count)
    for (index, text) in texts.enumerated() {
      #expect(collector[index, text.count - 1].largestDifference(to: alone[index]) < 1e-4)
      #expect(decoder.gateStatistics(segment: index) == aloneStatistics[index])
    }
  }

  @Test(arguments: names) func quantizedStaysNear(name: String) throws {
    let golden = try golden(name)
    let exact = try decoder(name).allLogits(golden.tokens, chunk: 512)
    let near = try decoder(name, precision: .quantized).allLogits(golden.tokens, chunk: 512)
    // Where rounding turns a choice between nearly equal experts, a row may be far off; such rows
    // are few.
    var errors: [Double] = []
    for (row, exactRow) in zip(near, exact) {
      let error = zip(row, exactRow).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      let size = exactRow.reduce(0) { $0 + Double($1 * $1) }
      errors.append((error / size).squareRoot())
    }
    errors.sort()
    // A state goes on with what came of it.
    let hasState = [
      "tiny-qwen35moe", "tiny-qwen3next", "tiny-granitehybrid", "tiny-nemotronh-moe",
    ].contains(name)
    #expect(errors[errors.count / 2] < (hasState ? 0.15 : 0.1))
    #expect(errors[errors.count * 9 / 10] < (hasState ? 0.6 : 0.3))
  }

  /// More pairs of a row and an expert than the buffers hold at a time.
  @Test func slicesEqualOneGo() throws {
    let golden = try golden("tiny-qwen3moe")
    let decoder = try decoder("tiny-qwen3moe") { $0.maximumRows = 768 }
    let texts = (0..<12).map { shift in
      (0..<64).map { golden.tokens[($0 * (shift + 1) + shift) % golden.tokens.count] }
    }
    let collector = LogitCollector()
    try decoder.forward(
      texts.map { BatchSegment(cache: decoder.makeCache(), tokens: $0[...], logits: .all) }
    ) { collector.receive($0) }
    for (index, text) in texts.enumerated() {
      let alone = try decoder.allLogits(text, chunk: 512)
      for position in text.indices {
        #expect(collector[index, position].largestDifference(to: alone[position]) < 1e-4)
      }
    }
  }

  /// A request may have fewer experts than the gate's own number, and others in its batch notice
  /// nothing.
  @Test func fewerExpertsForOneRequest() throws {
    let golden = try golden("tiny-mixtral")
    let decoder = try decoder("tiny-mixtral")
    let tokens = golden.tokens[..<20]
    let expected = try #require(golden.logits)[19]
    let collector = LogitCollector()
    try decoder.forward([
      BatchSegment(cache: decoder.makeCache(), tokens: tokens),
      BatchSegment(
        cache: decoder.makeCache(), tokens: tokens, gating: GateRequest(expertsK: 1)),
      BatchSegment(
        cache: decoder.makeCache(), tokens: tokens, gating: GateRequest(expertsK: .min)),
    ]) { collector.receive($0) }
    #expect(decoder.gateStatistics(segment: 0)?.meanActive == 2)
    #expect(decoder.gateStatistics(segment: 1)?.meanActive == 1)
    #expect(decoder.gateStatistics(segment: 2)?.meanActive == 1)
    #expect(decoder.gateStatistics(segment: 3) == nil)
    #expect(collector[0, 19].largestDifference(to: expected) < 1e-3)
    #expect(collector[1, 19].largestDifference(to: expected) > 1e-2)
  }

  @Test(arguments: [WeightMatrix.Precision.float, .quantized])
  func expertsInAFileEqualThoseInMemory(precision: WeightMatrix.Precision) throws {
    let golden = try golden("tiny-mixtral")
    let folder = FileManager.default.temporaryDirectory.path
    let inMemory = try decoder("tiny-mixtral", precision: precision)
    let inFile = try decoder("tiny-mixtral", precision: precision) {
      $0.expertStorage = .file(folder: folder)
    }
    #expect(inMemory.warnings.isEmpty)
    #expect(
      try inFile.allLogits(golden.tokens, chunk: 512)
        == inMemory.allLogits(golden.tokens, chunk: 512))
    #expect(throws: ModelError.self) {
      try decoder("tiny-mixtral") { $0.expertStorage = .file(folder: "/nowhere/at/all") }
    }
  }

  /// Files from before experts were merged into one tensor hold them one by one.
  @Test func oldLayoutEqualsTheNew() throws {
    let golden = try golden("tiny-mixtral")
    let file = try GGUFFile(path: Fixture.path("tiny-mixtral.gguf"))
    let decoder = try Decoder(
      architecture: "llama", metadata: file, tensors: SplitExperts(file: file),
      pool: #require(Fixture.pool), options: DecoderOptions(precision: .float))
    let logits = try decoder.allLogits(golden.tokens, chunk: 512)
    let merged = try self.decoder("tiny-mixtral").allLogits(golden.tokens, chunk: 512)
    #expect(logits == merged)
  }

  /// A file's merged expert tensors, offered one expert at a time.
  private struct SplitExperts: TensorSource {
    let file: GGUFFile
    var path: String { file.path }
    var tensorNames: [String] { file.tensorNames }
    func dropPages() {}

    func tensor(named name: String) throws(ModelFileError) -> TensorView? {
      if name.contains("_exps") { return nil }
      let parts = name.split(separator: ".").map(String.init)
      guard parts.count == 5, let index = Int(parts[3]) else { return try file.tensor(named: name) }
      guard parts[4] == "weight" else { return nil }
      guard
        let whole = try file.tensor(named: "\(parts[0]).\(parts[1]).\(parts[2])_exps.weight"),
        index < whole.info.shape[0]
      else { return nil }
      let size = whole.info.byteCount / whole.info.shape[0]
      return TensorView(
        info: TensorInfo(
          name: name, shape: Array(whole.info.shape.dropFirst()),
          elementType: whole.info.elementType, offset: whole.info.offset + index * size,
          byteCount: size),
        map: whole.map)
    }
  }
}
