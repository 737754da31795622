import Kernels

/// Blocks of past sequences, by the tokens that lead to them: a request that begins as an earlier
/// one did takes over what was computed for it.
///
/// A node is a block; its place in the tree is the whole text up to the block's end, compared token
/// by token, so that a block is only ever reused after exactly the tokens it was computed from.
/// Texts of different scopes share nothing.
///
/// Of a model with recurrent layers a text can only be gone on with where a snapshot of their state is. A
/// snapshot is as large as many blocks, so that few are kept: of a text's, the last two (a conversation's
/// next turn begins with the whole last one, or, where the template leaves thinking out, with what came before its
/// answer), and those where texts part.
package final class PrefixTree {
  /// What, beside the tokens, decides the keys and values of a text.
  package struct Scope: Hashable, Sendable {
    /// `Adapter.identity`, nil for the base alone.
    package var adapter: UInt64?

    /// What was asked of the model's gates, which choose what a row passes through.
    package var gating: GateRequest

    package init(adapter: UInt64? = nil, gating: GateRequest = GateRequest()) {
      self.adapter = adapter
      self.gating = gating
    }
  }

  /// A text's first block.
  private struct RootKey: Hashable {
    let scope: Scope
    let tokens: [Int32]
  }

  private final class Node {
    var block: KVBlock
    var children: [[Int32]: Node] = [:]
    var lastUse: UInt64
    /// What recurrent layers kept at the block's end.
    var snapshot: RecurrentSnapshot?

    init(block: KVBlock, lastUse: UInt64) {
      self.block = block
      self.lastUse = lastUse
    }
  }

  /// Blocks that the tree keeps at most, a snapshot counting as `blocksPerSnapshot`.
  package let blockLimit: Int
  private let blocksPerSnapshot: Int
  /// Blocks that it keeps now.
  package private(set) var blockCount = 0
  /// Snapshots that it keeps now.
  package private(set) var snapshotCount = 0
  private var roots: [RootKey: Node] = [:]
  private var clock: UInt64 = 0

  /// Snapshots of one text that are kept.
  private static let snapshotsPerText = 2

  /// - Parameter blocksPerSnapshot: The size of a snapshot; 0 for models without recurrent layers.
  package init(blockLimit: Int, blocksPerSnapshot: Int = 0) {
    self.blockLimit = max(0, blockLimit)
    self.blocksPerSnapshot = blocksPerSnapshot
  }

  /// What is known of a text's beginning.
  package struct Match {
    /// What a sequence may begin with, and what recurrent layers kept at its end.
    package let blocks: [KVBlock]
    package let snapshot: RecurrentSnapshot?
    /// Positions of all blocks that are known: recurrent layers may have left no snapshot at the end.
    package let knownPositions: Int
  }

  /// The blocks of the longest known beginning of `tokens` that leaves at least one token out:
  /// the last one has to be computed for its logits.
  package func longestPrefix(of tokens: [Int32], in scope: Scope = Scope()) -> [KVBlock] {
    path(of: tokens, in: scope).map(\.block)
  }

  /// The same, but of a model with recurrent layers only as far as there is a snapshot.
  package func longestMatch(of tokens: [Int32], in scope: Scope = Scope()) -> Match {
    let path = path(of: tokens, in: scope)
    let end =
      blocksPerSnapshot == 0
      ? path.count : path.lastIndex { $0.snapshot != nil }.map { $0 + 1 } ?? 0
    return Match(
      blocks: path[..<end].map(\.block), snapshot: path[..<end].last?.snapshot,
      knownPositions: path.count * KVLayout.positions)
  }

  private func path(of tokens: [Int32], in scope: Scope) -> [Node] {
    clock += 1
    var path: [Node] = []
    var start = 0
    while start + KVLayout.positions < tokens.count {
      let key = Array(tokens[start..<start + KVLayout.positions])
      let known =
        if let parent = path.last { parent.children[key] } else {
          roots[RootKey(scope: scope, tokens: key)]
        }
      guard let node = known else { break }
      node.lastUse = clock
      path.append(node)
      start += KVLayout.positions
    }
    return path
  }

  /// Keeps the full blocks of a sequence whose cache holds `tokens`.
  /// - Parameter snapshots: Of recurrent layers, at ends of blocks, in order; what lies behind the last can't be gone on
  ///   with, and is not kept.
  package func insert(
    _ tokens: ArraySlice<Int32>, blocks: ArraySlice<KVBlock>, snapshots: [RecurrentSnapshot] = [],
    in scope: Scope = Scope()
  ) {
    guard blockLimit > 0 else { return }
    clock += 1
    let useful =
      blocksPerSnapshot == 0 ? blocks.count : (snapshots.last?.count ?? 0) / KVLayout.positions
    var path: [Node] = []
    var start = tokens.startIndex
    for block in blocks.prefix(useful) {
      let end = start + KVLayout.positions
      guard end <= tokens.endIndex else { return }
      let key = Array(tokens[start..<end])
      let node: Node
      let root = RootKey(scope: scope, tokens: key)
      if let known = path.isEmpty ? roots[root] : path.last?.children[key] {
        node = known
        node.lastUse = clock
      } else {
        // The way to here was used just now, so that it is not what goes.
        guard makeRoom(for: 1) else { return }
        node = Node(block: block, lastUse: clock)
        if let parent = path.last { parent.children[key] = node } else { roots[root] = node }
        blockCount += 1
      }
      path.append(node)
      start = end
      if let snapshot = snapshots.first(where: { $0.count == path.count * KVLayout.positions }) {
        keep(snapshot, at: path)
      }
    }
  }

  /// Keeps a snapshot at the end of a path, in place of earlier ones on it.
  private func keep(_ snapshot: RecurrentSnapshot, at path: [Node]) {
    guard let node = path.last, node.snapshot == nil else { return }
    for earlier in path.dropLast().filter({ $0.snapshot != nil })
      .dropLast(Self.snapshotsPerText - 1) where earlier.children.count < 2
    {
      dropSnapshot(of: earlier)
    }
    guard makeRoom(for: blocksPerSnapshot) else { return }
    node.snapshot = snapshot
    snapshotCount += 1
  }

  private func dropSnapshot(of node: Node) {
    guard node.snapshot != nil else { return }
    node.snapshot = nil
    snapshotCount -= 1
  }

  /// Gives up what was used longest ago until there is room for so many blocks.
  private func makeRoom(for blocks: Int) -> Bool {
    while blockCount + snapshotCount * blocksPerSnapshot + blocks > blockLimit {
      guard evict(unusedOnly: false) else { return false }
    }
    return true
  }

  /// Gives up the block that was used longest ago, among those that no sequence holds and no
  /// other block follows; where there is none, the snapshot. False if there is neither.
  package func evictOldest() -> Bool { evict(unusedOnly: true) }

  /// Bytes of the blocks that no sequence holds, and of snapshots: what giving them up would free.
  package var unusedBytes: Int {
    var bytes = 0
    func visit(_ node: Node) {
      // Who holds a block holds those before it too.
      if isKnownUniquelyReferenced(&node.block) { bytes += node.block.byteCount }
      bytes += node.snapshot?.byteCount ?? 0
      for child in node.children.values { visit(child) }
    }
    for root in roots.values { visit(root) }
    return bytes
  }

  /// Gives up all blocks.
  package func removeAll() {
    roots = [:]
    blockCount = 0
    snapshotCount = 0
  }

  private func evict(unusedOnly: Bool) -> Bool {
    var oldest: (node: Node, remove: () -> Void)?
    var oldestSnapshot: Node?
    func visit(_ node: Node, remove: @escaping () -> Void) {
      let mayGo = node.lastUse < clock || unusedOnly
      if mayGo, node.snapshot != nil, node.lastUse < oldestSnapshot?.lastUse ?? .max {
        oldestSnapshot = node
      }
      guard node.children.isEmpty else {
        for (key, child) in node.children { visit(child) { node.children[key] = nil } }
        return
      }
      guard mayGo, node.lastUse < oldest?.node.lastUse ?? .max,
        !unusedOnly || isKnownUniquelyReferenced(&node.block)
      else { return }
      oldest = (node, remove)
    }
    for (key, node) in roots { visit(node) { self.roots[key] = nil } }
    guard let oldest else {
      guard let oldestSnapshot else { return false }
      dropSnapshot(of: oldestSnapshot)
      return true
    }
    dropSnapshot(of: oldest.node)
    oldest.remove()
    blockCount -= 1
    return true
  }
}
