import Kernels
import Testing
import Transformer

/// Keys and values as bytes, in families of every kind: windows, soft caps, sinks, pages that layers share, latents and
/// layers that keep a state.
@Suite struct KeyValueTypeTests {
  static let names = [
    "tiny-llama", "tiny-gemma3", "tiny-gemma2", "tiny-gemma4", "tiny-gemma4-small",
    "tiny-deepseek2-lite", "tiny-gpt-oss", "tiny-qwen35",
  ]

  private func decoder(_ name: String) throws -> Decoder {
    try Fixture.decoder(Fixture.path("\(name).gguf")) { $0.keyValueType = .int8 }
  }

  @Test(arguments: names) func bytesStayNear(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let exact = try Fixture.decoder(Fixture.path("\(name).gguf"))
    let near = try decoder(name)
    let distance = try relativeDistance(
      of: near.allLogits(golden.tokens, chunk: 512),
      to: exact.allLogits(golden.tokens, chunk: 512))
    #expect(distance > 0 && distance < 0.05)
  }

  @Test(arguments: names, [1, 17]) func chunksEqualOneGo(name: String, chunk: Int) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let decoder = try decoder(name)
    let whole = try decoder.allLogits(golden.tokens, chunk: 512)
    let chunked = try decoder.allLogits(golden.tokens, chunk: chunk)
    for (row, expected) in zip(chunked, whole) {
      #expect(row.largestDifference(to: expected) < 1e-4)
    }
  }

  @Test(arguments: names) func batchEqualsAlone(name: String) throws {
    let golden = try Fixture.json(name, as: Fixture.Decoding.self)
    let times = 80 / golden.tokens.count + 1
    let tokens = Array(repeating: golden.tokens, count: times).flatMap(\.self)
    try expectBatchEqualsAlone(decoder(name), tokens)
  }

  /// What is cut back and read again, and what is shared and goes on, is as it was.
  @Test func cutsAndSharedBeginnings() throws {
    let golden = try Fixture.json("tiny-llama", as: Fixture.Decoding.self)
    let decoder = try decoder("tiny-llama")
    let tokens = Array((golden.tokens + golden.tokens + golden.tokens).prefix(150))
    let whole = try decoder.allLogits(tokens, chunk: 512)
    let cache = decoder.makeCache()
    _ = try decoder.allLogits(tokens, chunk: 40, cache: cache)
    cache.truncate(to: 100)
    #expect(
      try decoder.allLogits(Array(tokens[100...]), chunk: 9, cache: cache) == Array(whole[100...]))
    let shared = cache.sharedPrefix(upTo: 140)
    #expect(shared.count == 128)
    shared.truncate(to: 90)
    #expect(
      try decoder.allLogits(Array(tokens[90...]), chunk: 60, cache: shared) == Array(whole[90...]))
  }

  @Test func memoryIsHalfAndALittle() throws {
    let bytes = try decoder("tiny-llama").pagePool
    let halves = try Fixture.decoder(Fixture.path("tiny-llama.gguf"), precision: .quantized)
      .pagePool
    for (byte, half) in zip(bytes.layout.layers, halves.layout.layers) {
      // Two bytes for the scale of each head's key, and of its value.
      #expect(byte.bytesPerPage == half.bytesPerPage / 2 + 64 * byte.keyValueHeads * 4)
    }
    #expect(bytes.bytesPerBlock < halves.bytesPerBlock)
    #expect(throws: KernelError.invalidDimension(field: "headDim", value: 1032)) {
      try KVLayout(keyValueHeads: 1, headDim: 1032, elementType: .int8)
    }
  }
}
