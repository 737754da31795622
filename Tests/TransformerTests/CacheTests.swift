import Kernels
import Testing
import Transformer

@Suite struct CacheTests {
  private static let positions = KVLayout.positions

  private func pool(blocks: Int, spare: Int = 0) throws -> PagePool {
    let layout = try KVLayout(keyValueHeads: 2, headDim: 8, elementType: .f32)
    let probe = PagePool(layout: BlockLayout(layout, layerCount: 3), limitBytes: 0)
    return PagePool(
      layout: BlockLayout(layout, layerCount: 3), limitBytes: blocks * probe.bytesPerBlock + spare)
  }

  @Test func growsBlockByBlockAndStopsAtTheLimit() throws {
    let pool = try pool(blocks: 2, spare: 1)
    let cache = KVCache(pool: pool)
    #expect(pool.usedBlocks == 0)
    try cache.reserve(positions: 1)
    #expect(pool.usedBlocks == 1)
    try cache.reserve(positions: Self.positions)
    #expect(pool.usedBlocks == 1)
    try cache.reserve(positions: Self.positions + 1)
    #expect(pool.usedBlocks == 2)
    #expect(throws: ModelError.keyValueMemoryExhausted(limitBytes: pool.limitBytes)) {
      try cache.reserve(positions: 2 * Self.positions + 1)
    }
  }

  @Test func memoryComesBack() throws {
    let pool = try pool(blocks: 20)
    do {
      let cache = KVCache(pool: pool)
      try cache.reserve(positions: 20 * Self.positions)
      #expect(pool.availableBlocks == 0)
    }
    #expect(pool.availableBlocks == 20)
    pool.trim()
    try KVCache(pool: pool).reserve(positions: 20 * Self.positions)
  }

  @Test func whatIsKeptBesideBlocksCountsToo() throws {
    let pool = try pool(blocks: 3)
    let cache = KVCache(pool: pool, historyBytesPerBlock: pool.bytesPerBlock / 2)
    try cache.reserve(positions: 2 * Self.positions)
    #expect(pool.usedBlocks == 2 && pool.availableBytes == 0)
    #expect(throws: ModelError.keyValueMemoryExhausted(limitBytes: pool.limitBytes)) {
      try cache.reserve(positions: 2 * Self.positions + 1)
    }
    #expect(pool.usedBlocks == 2 && pool.availableBlocks == 0)
    cache.truncate(to: 0)
    #expect(pool.usedBytes == 0 && pool.availableBlocks == 3)
  }

  /// With one whose layers read others' keys and values.
  static let models = TinyModelTests.names + ["tiny-gemma4-small"]

  /// Forgetting positions and going on gives what a fresh cache gives.
  @Test(arguments: models, [0, 1, 30, 64, 70])
  func truncationEqualsAFreshStart(name: String, kept: Int) throws {
    let tokens = try Fixture.json(name, as: Fixture.Decoding.self).tokens
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"))
    let expected = try decoder.allLogits(tokens, chunk: 512)
    let cache = decoder.makeCache()
    // Something else beyond the kept positions.
    let other = Array(tokens.prefix(kept)) + Array(tokens.reversed().prefix(75 - kept))
    _ = try decoder.allLogits(other, chunk: 512, cache: cache)
    cache.truncate(to: kept)
    #expect(cache.count == kept)
    let rows = try decoder.allLogits(Array(tokens[kept...]), chunk: 512, cache: cache)
    for (row, expectedRow) in zip(rows, expected[kept...]) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4)
    }
  }

  @Test(arguments: models) func sharedPrefixEqualsItsOwn(name: String) throws {
    let tokens = try Fixture.json(name, as: Fixture.Decoding.self).tokens
    let decoder = try Fixture.decoder(Fixture.path("\(name).gguf"))
    let expected = try decoder.allLogits(tokens, chunk: 512)
    let first = decoder.makeCache()
    _ = try decoder.allLogits(Array(tokens.prefix(90)), chunk: 512, cache: first)
    let used = decoder.pagePool.usedBlocks
    let shared = first.sharedPrefix(upTo: 80)
    #expect(shared.count == Self.positions)
    #expect(decoder.pagePool.usedBlocks == used)
    let rows = try decoder.allLogits(Array(tokens[shared.count...]), chunk: 512, cache: shared)
    for (row, expectedRow) in zip(rows, expected[Self.positions...]) {
      #expect(row.largestDifference(to: expectedRow) < 1e-4)
    }
    // Writing into the shared block copies it: the first sequence keeps its own text.
    shared.truncate(to: 10)
    _ = try decoder.allLogits(Array(tokens.reversed().prefix(20)), chunk: 512, cache: shared)
    let last = try decoder.allLogits(Array(tokens[90...]), chunk: 512, cache: first)
    #expect(try #require(last.last).largestDifference(to: try #require(expected.last)) < 1e-4)
  }
}
