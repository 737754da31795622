import Kernels
import ModelFiles
import Testing
import Transformer

/// What a sequence of a model keeps whose layers have a state.
@Suite struct RecurrentModelTests {
  private static let name = "tiny-qwen35"

  private func golden() throws -> Fixture.Decoding {
    try Fixture.json(Self.name, as: Fixture.Decoding.self)
  }

  private func decoder(limitBytes: Int? = nil) throws -> Decoder {
    try Self.decoder(limitBytes: limitBytes)
  }

  static func decoder(limitBytes: Int? = nil) throws -> Decoder {
    try Fixture.decoder(Fixture.path("\(name).gguf")) {
      if let limitBytes { $0.keyValueLimitBytes = limitBytes }
    }
  }

  /// Blocks have pages for the layers with attention only; the state is charged once a sequence.
  @Test func memoryIsCounted() throws {
    let golden = try golden()
    let decoder = try decoder()
    let pool = decoder.pagePool
    #expect(pool.layout.layers.count == 5)
    #expect(pool.bytesPerBlock == (pool.layout.layers[3].bytesPerPage + 63) / 64 * 64)
    // Four layers of 6 states of 16 by 16, and 3 inputs of 2 * 32 + 96 channels.
    #expect(pool.bytesPerSequence == 4 * 4 * (6 * 16 * 16 + 3 * (2 * 32 + 96)))
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

  /// A state can't be cut back: the sequence begins again, and says so.
  @Test func cutBackIsBegunAgain() throws {
    let golden = try golden()
    let decoder = try decoder()
    let expected = try decoder.allLogits(golden.tokens, chunk: 512)
    let cache = decoder.makeCache()
    _ = try decoder.allLogits(Array(golden.tokens.reversed()), chunk: 512, cache: cache)
    cache.truncate(to: 90)
    #expect(cache.count == 0)
    #expect(try decoder.allLogits(golden.tokens, chunk: 512, cache: cache) == expected)
  }

  /// Keys and values without the state are refused, never taken for a sequence's beginning.
  @Test func beginningsWithoutAStateAreNotTakenOver() throws {
    let golden = try golden()
    let decoder = try decoder()
    let first = decoder.makeCache()
    _ = try decoder.allLogits(golden.tokens, chunk: 512, cache: first)
    #expect(first.sharedPrefix(upTo: 80).count == 0)
    let adopted = decoder.makeCache(adopting: Array(first.fullBlocks))
    #expect(throws: ModelError.self) {
      try decoder.forward([BatchSegment(cache: adopted, tokens: golden.tokens.suffix(1))])
    }
  }

  /// With the state of just then they are: the rest of the text gives the logits that it gives in one.
  @Test func beginningsWithASnapshotAreGoneOnWith() throws {
    let golden = try golden()
    let decoder = try decoder()
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

  @Test func snapshotsTakeMemory() throws {
    let decoder = try decoder()
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

  @Test func memoryThatIsNotThereIsRefused() throws {
    let bytes = try decoder().pagePool.bytesPerSequence
    let decoder = try decoder(limitBytes: bytes)
    let cache = decoder.makeCache()
    #expect(throws: ModelError.keyValueMemoryExhausted(limitBytes: bytes)) {
      try cache.reserve(positions: 1)
    }
    #expect(cache.missingBytes(forPositions: 1) == decoder.pagePool.bytesPerBlock)
  }
}
