import Kernels
import Testing
import Transformer

/// Random-weight models of every family against Hugging Face transformers.
@Suite struct TinyModelTests {
  static let names = ["tiny-llama", "tiny-gemma3"]

  @Test(arguments: names) func logitsEqualTheReference(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let expected = try #require(golden.logits)
    let logits = try Fixture.decoder(Fixture.path("\(name).gguf")).allLogits(
      golden.tokens, chunk: 512)
    for (row, expectedRow) in zip(logits, expected) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4)
    }
  }

  @Test(arguments: names) func greedyTextEqualsTheReference(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"))
    for (prompt, expected) in zip(golden.prompts, golden.greedy) {
      #expect(try decoder.greedy(prompt, count: expected.count) == expected)
    }
  }

  @Test(arguments: names, [1, 5, 17, 64])
  func chunksEqualOneGo(name: String, chunk: Int) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"))
    let whole = try decoder.allLogits(golden.tokens, chunk: 512)
    let chunked = try decoder.allLogits(golden.tokens, chunk: chunk)
    for (row, expectedRow) in zip(chunked, whole) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4)
    }
  }

  @Test(arguments: names) func logitsInSlicesEqualOneSlice(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let path = try Fixture.path("\(name).gguf")
    let whole = try Fixture.decoder(path).allLogits(golden.tokens, chunk: 512)
    let sliced = try Fixture.decoder(path) { $0.logitBytes = 3 * 96 * 4 }
      .allLogits(golden.tokens, chunk: 512)
    #expect(sliced == whole)
  }

  /// Sequences of different lengths, some reading and some decoding, in one pass.
  @Test(arguments: names, [WeightMatrix.Precision.float, .quantized])
  func batchEqualsAlone(name: String, precision: WeightMatrix.Precision) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"), precision: precision)
    let texts = [0..<1, 3..<40, 10..<80, 50..<59].map { Array(golden.tokens[$0]) }
    let alone = try texts.map { try decoder.allLogits($0, chunk: 512).last }
    let caches = texts.map { _ in decoder.makeCache() }
    // The second text is all but its last token in the cache already.
    try decoder.forward([
      BatchSegment(cache: caches[1], tokens: texts[1].dropLast(), logits: .none)
    ])
    let collector = LogitCollector()
    try decoder.forward(
      texts.indices.map {
        BatchSegment(cache: caches[$0], tokens: texts[$0][caches[$0].count...])
      }
    ) { collector.receive($0) }
    #expect(collector.count == texts.count)
    for (index, text) in texts.enumerated() {
      let row = collector[index, text.count - 1]
      #expect(row.largestDifference(to: try #require(alone[index])) < 1e-4)
    }
  }

  @Test(arguments: names) func quantizedStaysNear(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let path = try Fixture.path("\(name).gguf")
    let exact = try Fixture.decoder(path).allLogits(golden.tokens, chunk: 512)
    let near = try Fixture.decoder(path, precision: .quantized).allLogits(
      golden.tokens, chunk: 512)
    var error = 0.0
    var size = 0.0
    for (row, exactRow) in zip(near, exact) {
      for (value, truth) in zip(row, exactRow) {
        error += Double((value - truth) * (value - truth))
        size += Double(truth * truth)
      }
    }
    // Random weights have no order that would average the rounding out: some 6 %.
    #expect((error / size).squareRoot() < 0.1)
  }
}
