import Kernels
import ModelFiles
import Testing
import Transformer

/// Random-weight models of gpt-oss and of DeepSeek's families against Hugging Face transformers.
@Suite struct LatentModelTests {
  static let names = [
    "tiny-gpt-oss", "tiny-deepseek2-lite", "tiny-deepseek2-groups", "tiny-deepseek3",
  ]

  private func golden(_ name: String) throws -> Fixture.Decoding {
    try Fixture.json(name, as: Fixture.Decoding.self)
  }

  @Test(arguments: names) func logitsEqualTheReference(name: String) throws {
    let golden = try golden(name)
    let expected = try #require(golden.logits)
    let logits = try Fixture.decoder(Fixture.path("\(name).gguf")).allLogits(
      golden.tokens, chunk: 512)
    let largest = expected.joined().reduce(0) { max($0, abs($1)) }
    for (row, expectedRow) in zip(logits, expected) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4 * largest)
    }
  }

  @Test(arguments: names) func greedyTextEqualsTheReference(name: String) throws {
    let golden = try golden(name)
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"))
    for (prompt, expected) in zip(golden.prompts, golden.greedy) {
      #expect(expected.count == 16)
      #expect(try decoder.greedy(prompt, count: expected.count) == expected)
    }
  }

  @Test(arguments: names, [1, 5, 17]) func cacheEqualsOneGo(name: String, chunk: Int) throws {
    let golden = try golden(name)
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"))
    let whole = try decoder.allLogits(golden.tokens, chunk: 512)
    let chunked = try decoder.allLogits(golden.tokens, chunk: chunk)
    for (row, expectedRow) in zip(chunked, whole) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4)
    }
  }

  /// Two sequences in a pass, one reading and one decoding, in both precisions.
  @Test(arguments: names, [WeightMatrix.Precision.float, .quantized])
  func batchEqualsAlone(name: String, precision: WeightMatrix.Precision) throws {
    let tokens = try golden(name).tokens
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"), precision: precision)
    let texts = [Array(tokens[0..<30]), Array(tokens[11..<40])]
    let alone = try texts.map { try decoder.allLogits($0, chunk: 512).last }
    let caches = texts.map { _ in decoder.makeCache() }
    try decoder.forward([
      BatchSegment(cache: caches[1], tokens: texts[1].dropLast(), logits: .none)
    ])
    let collector = LogitCollector()
    try decoder.forward(
      texts.indices.map {
        BatchSegment(cache: caches[$0], tokens: texts[$0][caches[$0].count...])
      }
    ) { collector.receive($0) }
    for (index, text) in texts.enumerated() {
      let row = collector[index, text.count - 1]
      #expect(row.largestDifference(to: try #require(alone[index])) < 1e-4)
    }
  }

  /// With random weights a rounded score now and then turns an expert's choice, which moves the
  /// whole row: most rows are near.
  @Test(arguments: names) func quantizedStaysNear(name: String) throws {
    let tokens = try golden(name).tokens
    let path = try Fixture.path("\(name).gguf")
    let exact = try Fixture.decoder(path).allLogits(tokens, chunk: 512)
    let near = try Fixture.decoder(path, precision: .quantized).allLogits(tokens, chunk: 512)
    let errors = zip(near, exact).map { row, truth -> Double in
      var error = 0.0
      var size = 0.0
      for (value, wanted) in zip(row, truth) {
        error += Double((value - wanted) * (value - wanted))
        size += Double(wanted * wanted)
      }
      return (error / size).squareRoot()
    }.sorted()
    #expect(errors[errors.count / 2] < 0.1)
  }

  /// What a file without its sinks, or with one that is no number, is told.
  @Test func sinksAreRequired() throws {
    let file = try GGUFFile(path: Fixture.path("tiny-gpt-oss.gguf"))
    #expect(throws: ModelError.missingTensor("blk.1.attn_sinks.weight")) {
      try Decoder(
        architecture: "gpt-oss", metadata: file,
        tensors: HostileModelTests.FewerTensors(file: file, missing: "blk.1.attn_sinks.weight"),
        pool: #require(Fixture.pool), options: DecoderOptions(precision: .float))
    }
  }
}
