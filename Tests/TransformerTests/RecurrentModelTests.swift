import Kernels
import ModelFiles
import Testing
import Transformer

/// What a sequence of a model keeps whose layers have a state.
@Suite struct RecurrentModelTests {
  static let names = [
    "tiny-qwen35", "tiny-lfm2", "tiny-granitehybrid", "tiny-nemotronh", "tiny-mamba2",
  ]

  private func golden(_ name: String) throws -> Fixture.Decoding {
    try Fixture.json(name, as: Fixture.Decoding.self)
  }

  private func decoder(_ name: String, limitBytes: Int? = nil) throws -> Decoder {
    try Self.decoder(name, limitBytes: limitBytes)
  }

  static func decoder(_ name: String = "tiny-qwen35", limitBytes: Int? = nil) throws -> Decoder {
    try Fixture.decoder(Fixture.path("\(name).gguf")) {
      if let limitBytes { $0.keyValueLimitBytes = limitBytes }
    }
  }

  /// Blocks have pages for the layers with attention only; the state is charged once a sequence.
  @Test(arguments: [
    // Four layers of 6 states of 16 by 16, and 3 inputs of 2 * 32 + 96 channels.
    ("tiny-qwen35", attending: 1, floats: 4 * (6 * 16 * 16 + 3 * (2 * 32 + 96))),
    // Three layers of 2 inputs of 32 channels.
    ("tiny-lfm2", attending: 2, floats: 3 * 2 * 32),
    // Three layers of 4 heads of 16 by 24, and 3 inputs of 64 + 2 * 2 * 24 channels.
    ("tiny-granitehybrid", attending: 2, floats: 3 * (4 * 16 * 24 + 3 * (64 + 2 * 2 * 24))),
  ])
  func memoryIsCounted(name: String, attending: Int, floats: Int) throws {
    let golden = try golden(name)
    let decoder = try decoder(name)
    let pool = decoder.pagePool
    #expect(pool.layout.layers.count == 5)
    #expect(pool.bytesPerBlock == attending * ((pool.layout.layers[4].bytesPerPage + 63) / 64 * 64))
    #expect(pool.bytesPerSequence == 4 * floats)
    let cache = decoder.makeCache()
    #expect(pool.usedBytes == 0)
    #expect(cache.missingBytes(forPositions: 70) == 2 * pool.bytesPerBlock + pool.bytesPerSequence)
    _ = try decoder.allLogits(Array(golden.tokens.prefix(70)), chunk: 512, cache: cache)
    #expect(pool.usedBytes == 2 * pool.bytesPerBlock + pool.bytesPerSequence)
    #expect(cache.missingBytes(forPositions: 70) == 0)
    cache.truncate(to: 70)
    #expect(cache.count == 70)
    cache.truncate(to: 0)
    #expect(pool.usedBytes == 0)
    do {
      let other = decoder.makeCache()
      try other.reserve(positions: 1)
      #expect(pool.usedBytes == pool.bytesPerBlock + pool.bytesPerSequence)
    }
    #expect(pool.usedBytes == 0)
  }

  /// Without any attention too, positions are counted in blocks.
  @Test func modelsWithoutPagesHaveBlocks() throws {
    let decoder = try decoder("tiny-mamba2")
    let pool = decoder.pagePool
    #expect(pool.bytesPerBlock == 64)
    // Three layers of 4 heads of 16 by 24, and 3 inputs of 64 + 2 * 2 * 24 channels.
    #expect(pool.bytesPerSequence == 4 * 3 * (4 * 16 * 24 + 3 * (64 + 2 * 2 * 24)))
    let cache = decoder.makeCache()
    _ = try decoder.allLogits(
      Array(golden("tiny-mamba2").tokens.prefix(70)), chunk: 512, cache: cache)
    #expect(pool.usedBytes == 2 * 64 + pool.bytesPerSequence)
    #expect(cache.fullBlocks.count == 1)
  }

  /// A state can't be cut back: the sequence begins again, and says so.
  @Test(arguments: names) func cutBackIsBegunAgain(name: String) throws {
    let golden = try golden(name)
    let decoder = try decoder(name)
    let expected = try decoder.allLogits(golden.tokens, chunk: 512)
    let cache = decoder.makeCache()
    _ = try decoder.allLogits(Array(golden.tokens.reversed()), chunk: 512, cache: cache)
    cache.truncate(to: 90)
    #expect(cache.count == 0)
    #expect(try decoder.allLogits(golden.tokens, chunk: 512, cache: cache) == expected)
  }

  /// Keys and values without the state are refused, never taken for a sequence's beginning.
  @Test(arguments: names) func beginningsWithoutAStateAreNotTakenOver(name: String) throws {
    let golden = try golden(name)
    let decoder = try decoder(name)
    let first = decoder.makeCache()
    _ = try decoder.allLogits(golden.tokens, chunk: 512, cache: first)
    #expect(first.sharedPrefix(upTo: 80).count == 0)
    let adopted = decoder.makeCache(adopting: Array(first.fullBlocks))
    #expect(throws: ModelError.self) {
      try decoder.forward([BatchSegment(cache: adopted, tokens: golden.tokens.suffix(1))])
    }
  }

  /// With the state of just then they are: the rest of the text gives the logits that it gives in one.
  @Test(arguments: names) func beginningsWithASnapshotAreGoneOnWith(name: String) throws {
    let golden = try golden(name)
    let decoder = try decoder(name)
    let expected = try decoder.allLogits(golden.tokens, chunk: 512)
    let place = KVLayout.positions
    let first = decoder.makeCache()
    #expect(try first.snapshot() == nil)
    _ = try decoder.allLogits(Array(golden.tokens.prefix(place)), chunk: 512, cache: first)
    let snapshot = try #require(try first.snapshot())
    #expect(snapshot.count == place)
    // What comes after it changes nothing of it.
    _ = try decoder.allLogits(Array(golden.tokens.reversed()), chunk: 512, cache: first)
    for _ in 0..<2 {
      let cache = decoder.makeCache(adopting: Array(first.fullBlocks.prefix(1)), snapshot: snapshot)
      let rest = try decoder.allLogits(
        Array(golden.tokens.dropFirst(place)), chunk: 512, cache: cache)
      #expect(!rest.isEmpty)
      #expect(rest == Array(expected.suffix(rest.count)))
    }
    // Of another place it is not taken.
    let early = decoder.makeCache(adopting: [], snapshot: snapshot)
    #expect(throws: ModelError.self) {
      try decoder.forward([BatchSegment(cache: early, tokens: golden.tokens.prefix(1))])
    }
  }

  @Test(arguments: names) func snapshotsTakeMemory(name: String) throws {
    let decoder = try decoder(name)
    let pool = decoder.pagePool
    do {
      let cache = decoder.makeCache()
      try cache.reserve(positions: 1)
      let before = pool.usedBytes
      let snapshot = try #require(try cache.snapshot())
      #expect(pool.usedBytes == before + pool.bytesPerSequence)
      #expect(snapshot.count == 0)
    }
    #expect(pool.usedBytes == 0)
  }

  @Test(arguments: names) func memoryThatIsNotThereIsRefused(name: String) throws {
    let bytes = try decoder(name).pagePool.bytesPerSequence
    let decoder = try decoder(name, limitBytes: bytes)
    let cache = decoder.makeCache()
    #expect(throws: ModelError.keyValueMemoryExhausted(limitBytes: bytes)) {
      try cache.reserve(positions: 1)
    }
    #expect(cache.missingBytes(forPositions: 1) == decoder.pagePool.bytesPerBlock)
  }
}
