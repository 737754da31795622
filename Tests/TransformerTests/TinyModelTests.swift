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

  @Test(arguments: names, [WeightMatrix.Precision.float, .quantized])
  func batchEqualsAlone(name: String, precision: WeightMatrix.Precision) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"), precision: precision)
    try expectBatchEqualsAlone(decoder, golden.tokens)
  }

  @Test(arguments: names) func quantizedStaysNear(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let path = try Fixture.path("\(name).gguf")
    let exact = try Fixture.decoder(path).allLogits(golden.tokens, chunk: 512)
    let near = try Fixture.decoder(path, precision: .quantized).allLogits(
      golden.tokens, chunk: 512)
    // Random weights have no order that would average the rounding out: some 6 %.
    #expect(relativeDistance(of: near, to: exact) < 0.1)
  }
}
