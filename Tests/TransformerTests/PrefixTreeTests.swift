import Kernels
import Testing
import Transformer

@Suite struct PrefixTreeTests {
  private static let positions = KVLayout.positions

  private func pool(blocks: Int) throws -> PagePool {
    let layout = try KVLayout(keyValueHeads: 1, headDim: 8, elementType: .f32)
    let one = PagePool(layout: BlockLayout(layout, layerCount: 1), limitBytes: 0).bytesPerBlock
    return PagePool(layout: BlockLayout(layout, layerCount: 1), limitBytes: blocks * one)
  }

  private func tokens(_ blocks: [Int32]) -> [Int32] {
    blocks.flatMap { Array(repeating: $0, count: Self.positions) }
  }

  private func insert(_ ids: [Int32], into tree: PrefixTree, _ pool: PagePool) throws -> [KVBlock] {
    let blocks = try ids.map { _ in try pool.allocate() }
    tree.insert(tokens(ids)[...], blocks: blocks[...])
    return blocks
  }

  @Test func findsTheLongestBeginning() throws {
    let pool = try pool(blocks: 10)
    let tree = PrefixTree(blockLimit: 10)
    let first = try insert([1, 2, 3], into: tree, pool)
    let second = try insert([1, 2, 4], into: tree, pool)
    #expect(tree.blockCount == 4)
    func found(_ tokens: [Int32]) -> [ObjectIdentifier] {
      tree.longestPrefix(of: tokens).map { ObjectIdentifier($0) }
    }
    let names = first.map { ObjectIdentifier($0) }
    #expect(found(tokens([1, 2, 3]) + [9]) == names)
    // The last token is left to compute.
    #expect(found(tokens([1, 2, 3])) == Array(names[..<2]))
    #expect(found(tokens([1, 2, 4]) + [9]) == names[..<2] + [ObjectIdentifier(second[2])])
    #expect(found(tokens([2, 2, 3]) + [9]).isEmpty)
    #expect(found([]).isEmpty)
    #expect(found([1]).isEmpty)
  }

  @Test func keepsItsLimitAndTheNewest() throws {
    let pool = try pool(blocks: 20)
    let tree = PrefixTree(blockLimit: 3)
    for id: Int32 in 1...6 { _ = try insert([id], into: tree, pool) }
    #expect(tree.blockCount == 3)
    #expect(pool.usedBlocks == 3)
    #expect(tree.longestPrefix(of: tokens([1]) + [0]).isEmpty)
    #expect(tree.longestPrefix(of: tokens([6]) + [0]).count == 1)
    // A text longer than the limit keeps its beginning.
    _ = try insert([7, 8, 9, 10, 11], into: tree, pool)
    #expect(tree.blockCount == 3)
    #expect(tree.longestPrefix(of: tokens([7, 8, 9, 10, 11]) + [0]).count == 3)
  }

  @Test func evictsWhatNobodyHolds() throws {
    let pool = try pool(blocks: 10)
    let tree = PrefixTree(blockLimit: 10)
    let held = try insert([1, 2], into: tree, pool)
    _ = try insert([3, 4], into: tree, pool)
    #expect(tree.unusedBytes == 2 * pool.bytesPerBlock, "two are a sequence's")
    #expect(tree.evictOldest())
    #expect(tree.unusedBytes == pool.bytesPerBlock)
    #expect(tree.longestPrefix(of: tokens([3, 4]) + [0]).count == 1)
    #expect(tree.evictOldest())
    #expect(!tree.evictOldest())
    #expect(held.count == 2)
    #expect(pool.usedBlocks == 2)
    tree.removeAll()
    #expect(tree.blockCount == 0)
  }

  @Test func scopesShareNothing() throws {
    let pool = try pool(blocks: 10)
    let tree = PrefixTree(blockLimit: 4)
    let scopes = [PrefixTree.Scope(), .init(adapter: 1), .init(adapter: 2)]
    let text = tokens([1, 2])
    for scope in scopes {
      #expect(tree.longestPrefix(of: text + [0], in: scope).isEmpty)
      let blocks = try [1, 2].map { _ in try pool.allocate() }
      tree.insert(text[...], blocks: blocks[...], in: scope)
      let found = tree.longestPrefix(of: text + [0], in: scope)
      #expect(found.map { ObjectIdentifier($0) } == blocks.map { ObjectIdentifier($0) })
    }
    // The oldest scope has made room for the newest.
    #expect(tree.blockCount == 4)
    #expect(tree.longestPrefix(of: text + [0]).isEmpty)
    while tree.evictOldest() {}
    #expect(tree.blockCount == 0 && pool.usedBlocks == 0)
  }

  // MARK: - Snapshots

  /// Snapshots at the ends of the first so many blocks, of a model that has such layers.
  private func snapshots(_ blocks: Int) throws -> [RecurrentSnapshot] {
    let decoder = try RecurrentModelTests.decoder()
    let cache = decoder.makeCache()
    return try (0..<blocks).map { _ in
      let tokens = [Int32](repeating: 1, count: Self.positions)
      try decoder.forward([BatchSegment(cache: cache, tokens: tokens[...], logits: .none)])
      return try #require(try cache.snapshot())
    }
  }

  /// What a text may begin with ends where a snapshot is, and what lies behind the last is not kept.
  @Test func beginningsEndAtSnapshots() throws {
    let pool = try pool(blocks: 20)
    let tree = PrefixTree(blockLimit: 20, blocksPerSnapshot: 2)
    let states = try snapshots(3)
    let blocks = try (0..<5).map { _ in try pool.allocate() }
    let text = tokens([1, 2, 3, 4, 5])
    tree.insert(text[...], blocks: blocks[...])
    #expect(tree.blockCount == 0)
    tree.insert(text[...], blocks: blocks[...], snapshots: [states[0], states[2]])
    #expect(tree.blockCount == 3 && tree.snapshotCount == 2)
    let whole = tree.longestMatch(of: text)
    #expect(whole.blocks.count == 3 && whole.snapshot === states[2])
    #expect(whole.knownPositions == 3 * Self.positions)
    let part = tree.longestMatch(of: tokens([1, 2, 9]))
    #expect(part.blocks.count == 1 && part.snapshot === states[0])
    #expect(part.knownPositions == 2 * Self.positions)
    let none = tree.longestMatch(of: tokens([9, 2, 3]))
    #expect(none.blocks.isEmpty && none.snapshot == nil && none.knownPositions == 0)
  }

  /// A text's last two, and those where texts part.
  @Test func fewSnapshotsOfATextAreKept() throws {
    let pool = try pool(blocks: 20)
    let tree = PrefixTree(blockLimit: 20, blocksPerSnapshot: 2)
    let states = try snapshots(4)
    let blocks = try (0..<6).map { _ in try pool.allocate() }
    let text = tokens([1, 2, 3, 4])
    for end in 1...2 {
      tree.insert(text[...], blocks: blocks[..<end], snapshots: [states[end - 1]])
    }
    tree.insert(tokens([1, 5])[...], blocks: [blocks[0], blocks[5]], snapshots: [states[1]])
    #expect(tree.snapshotCount == 3)
    for end in 3...4 {
      tree.insert(text[...], blocks: blocks[..<end], snapshots: [states[end - 1]])
    }
    // The first stays, where the other text parts from this one; the second goes.
    #expect(tree.longestMatch(of: tokens([1, 9])).snapshot === states[0])
    #expect(tree.longestMatch(of: tokens([1, 2, 9])).blocks.count == 1)
    #expect(tree.longestMatch(of: tokens([1, 2, 3, 9])).snapshot === states[2])
    #expect(tree.snapshotCount == 4)
  }

  @Test func snapshotsCountAndGo() throws {
    let pool = try pool(blocks: 40)
    let tree = PrefixTree(blockLimit: 8, blocksPerSnapshot: 3)
    var states = try snapshots(1)
    for id: Int32 in 1...6 {
      let block = try pool.allocate()
      tree.insert(tokens([id])[...], blocks: [block], snapshots: states)
    }
    #expect(tree.blockCount == 2 && tree.snapshotCount == 2)
    // A block that a sequence holds stays; the snapshot goes.
    let held = tree.longestMatch(of: tokens([6]) + [0]).blocks
    #expect(held.count == 1)
    states = []
    #expect(tree.unusedBytes > 0)
    withExtendedLifetime(held) {
      while tree.evictOldest() {}
      #expect(tree.blockCount == 1 && tree.snapshotCount == 0)
      tree.removeAll()
      #expect(pool.usedBlocks == 1)
    }
  }
}
