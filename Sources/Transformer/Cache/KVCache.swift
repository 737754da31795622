import Kernels

/// The keys and values of one sequence, in blocks that are taken from a pool as it grows.
///
/// Only the thread that runs the model may touch it.
package final class KVCache {
  package let pool: PagePool
  /// Positions that hold a token.
  package private(set) var count = 0
  /// What gates that look at the tokens before have seen of the sequence; nil where there are none.
  var gateHistories: GateHistories?
  /// Bytes that these have for the positions of a block; charged to the pool block by block.
  private(set) var historyBytesPerBlock: Int
  /// What layers that keep a state have of the sequence; nil where there are none, and before the
  /// first `reserve`.
  private(set) var recurrentState: RecurrentState?
  /// What that begins as; nil where it begins empty, and once it has begun.
  private var beginning: RecurrentSnapshot?
  private var blocks: [KVBlock] = []
  /// Page pointers, a row a layer: `table[layer * capacity + block]`.
  private var table: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private var layerCount: Int { pool.layout.layers.count }
  /// Blocks that a row of the table has room for.
  private var capacity: Int

  /// - Parameter historyBytesPerBlock: What the gates will keep for the positions of a block.
  package init(pool: PagePool, historyBytesPerBlock: Int = 0) {
    self.pool = pool
    self.historyBytesPerBlock = historyBytesPerBlock
    capacity = 8
    table = .allocate(capacity: capacity * pool.layout.layers.count)
  }

  /// A cache that begins with full blocks of another sequence.
  /// - Parameter snapshot: What recurrent layers kept at the end of these blocks; a model that has such layers can't do
  ///   without.
  package convenience init(
    pool: PagePool, adopting blocks: [KVBlock], snapshot: RecurrentSnapshot? = nil
  ) {
    self.init(pool: pool)
    beginning = snapshot
    for block in blocks { append(block) }
    count = blocks.count * KVLayout.positions
  }

  deinit {
    dropRecurrentState()
    pool.refund(blocks.count * historyBytesPerBlock)
    table.deallocate()
  }

  /// The blocks all of whose positions hold a token.
  package var fullBlocks: ArraySlice<KVBlock> { blocks.prefix(count / KVLayout.positions) }

  /// Positions there is memory for.
  package var reservedPositions: Int { blocks.count * KVLayout.positions }

  /// Takes blocks until `positions` positions have room. A block that is shared and will be
  /// written to (after `truncate` into a shared prefix) is copied first.
  package func reserve(positions: Int) throws(ModelError) {
    if let shape = pool.recurrentState, recurrentState == nil { try makeRecurrentState(shape) }
    let first = count / KVLayout.positions
    if positions > count, first < blocks.count, !isKnownUniquelyReferenced(&blocks[first]) {
      let copy = try pool.allocate()
      copy.base.copyMemory(from: blocks[first].base, byteCount: pool.bytesPerBlock)
      blocks[first] = copy
      for layer in 0..<layerCount {
        table[layer * capacity + first] = copy.base + pool.layout.offsets[layer]
      }
    }
    while reservedPositions < positions {
      try append(pool.allocate(charge: historyBytesPerBlock))
    }
  }

  /// What a block takes of the pool's limit.
  package var bytesPerBlock: Int { pool.bytesPerBlock + historyBytesPerBlock }

  /// Bytes that `reserve` would take from the pool.
  package func missingBytes(forPositions positions: Int) -> Int {
    max(0, PagePool.blocks(forPositions: positions) - blocks.count) * bytesPerBlock
      + (recurrentState == nil ? pool.bytesPerSequence : 0)
  }

  private func makeRecurrentState(_ shape: RecurrentState.Shape) throws(ModelError) {
    try pool.charge(shape.byteCount)
    do {
      recurrentState =
        if let beginning { try RecurrentState(copying: beginning.state) } else {
          try RecurrentState(shape)
        }
      beginning = nil
    } catch {
      pool.refund(shape.byteCount)
      throw .outOfMemory(bytes: shape.byteCount)
    }
  }

  /// A copy of what recurrent layers have of the sequence so far; nil where there are none, or nothing is there yet.
  package func snapshot() throws(ModelError) -> RecurrentSnapshot? {
    guard let recurrentState, recurrentState.count == count else { return nil }
    return try RecurrentSnapshot(recurrentState, pool: pool)
  }

  private func dropRecurrentState() {
    beginning = nil
    guard recurrentState != nil else { return }
    recurrentState = nil
    pool.refund(pool.bytesPerSequence)
  }

  /// Changes what the gates keep for the positions of a block, those that it has among them.
  func chargeHistories(bytesPerBlock: Int) throws(ModelError) {
    let more = (bytesPerBlock - historyBytesPerBlock) * blocks.count
    if more > 0 { try pool.charge(more) } else { pool.refund(-more) }
    historyBytesPerBlock = bytesPerBlock
  }

  /// Forgets all positions from `position` on, and gives back blocks that hold none any more. Where layers
  /// keep a state, which can't be cut back, it forgets all positions instead; `count` tells.
  package func truncate(to position: Int) {
    var kept = min(max(0, position), count)
    if pool.recurrentState != nil, kept < count { kept = 0 }
    if kept == 0 { dropRecurrentState() }
    count = kept
    let surplus = blocks.count - PagePool.blocks(forPositions: kept)
    blocks.removeLast(surplus)
    pool.refund(surplus * historyBytesPerBlock)
    if kept == 0 { gateHistories = nil } else { gateHistories?.truncate(to: kept) }
  }

  /// A cache that shares this one's full blocks below `position`. A block that is not full is
  /// never shared: two sequences would write to it. Where layers keep a state, nothing is shared.
  package func sharedPrefix(upTo position: Int) -> KVCache {
    guard pool.recurrentState == nil else { return KVCache(pool: pool) }
    let full = min(max(0, position), count) / KVLayout.positions
    let cache = KVCache(pool: pool, adopting: Array(blocks.prefix(full)))
    guard let gateHistories else { return cache }
    do {
      try cache.chargeHistories(bytesPerBlock: historyBytesPerBlock)
      cache.gateHistories = try gateHistories.copy(upTo: cache.count)
    } catch {
      // Without memory for it there is none, and the first pass says so.
    }
    return cache
  }

  /// The pages of a layer, in the order of their positions. Valid until the next `reserve`.
  func pages(layer: Int) -> UnsafePointer<UnsafeMutableRawPointer> {
    UnsafePointer(table + layer * capacity)
  }

  /// Counts positions as filled, after a pass has stored them.
  func advance(by positions: Int) {
    count += positions
    recurrentState?.commit(positions)
  }

  private func append(_ block: KVBlock) {
    if blocks.count == capacity { grow() }
    for layer in 0..<layerCount {
      let page = block.base + pool.layout.offsets[layer]
      (table + layer * capacity + blocks.count).initialize(to: page)
    }
    blocks.append(block)
  }

  private func grow() {
    let grown = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(
      capacity: 2 * capacity * layerCount)
    for layer in 0..<layerCount {
      (grown + layer * 2 * capacity).initialize(from: table + layer * capacity, count: blocks.count)
    }
    table.deallocate()
    table = grown
    capacity *= 2
  }
}
