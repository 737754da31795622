import Kernels

/// Blocks of past sequences, by the tokens that lead to them: a request that begins as an earlier
/// one did takes over what was computed for it.
///
/// A node is a block; its place in the tree is the whole text up to the block's end, compared token
/// by token, so that a block is only ever reused after exactly the tokens it was computed from.
/// Texts of different scopes share nothing.
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

    init(block: KVBlock, lastUse: UInt64) {
      self.block = block
      self.lastUse = lastUse
    }
  }

  /// Blocks that the tree keeps at most.
  package let blockLimit: Int
  /// Blocks that it keeps now.
  package private(set) var blockCount = 0
  private var roots: [RootKey: Node] = [:]
  private var clock: UInt64 = 0

  package init(blockLimit: Int) { self.blockLimit = max(0, blockLimit) }

  /// The blocks of the longest known beginning of `tokens` that leaves at least one token out:
  /// the last one has to be computed for its logits.
  package func longestPrefix(of tokens: [Int32], in scope: Scope = Scope()) -> [KVBlock] {
    clock += 1
    var blocks: [KVBlock] = []
    var parent: Node?
    var start = 0
    while start + KVLayout.positions < tokens.count {
      let key = Array(tokens[start..<start + KVLayout.positions])
      let known =
        if let parent { parent.children[key] } else { roots[RootKey(scope: scope, tokens: key)] }
      guard let node = known else { break }
      node.lastUse = clock
      blocks.append(node.block)
      parent = node
      start += KVLayout.positions
    }
    return blocks
  }

  /// Keeps the full blocks of a sequence whose cache holds `tokens`.
  package func insert(
    _ tokens: ArraySlice<Int32>, blocks: ArraySlice<KVBlock>, in scope: Scope = Scope()
  ) {
    guard blockLimit > 0 else { return }
    clock += 1
    var parent: Node?
    var start = tokens.startIndex
    for block in blocks {
      let end = start + KVLayout.positions
      guard end <= tokens.endIndex else { return }
      let key = Array(tokens[start..<end])
      let node: Node
      let root = RootKey(scope: scope, tokens: key)
      if let known = parent == nil ? roots[root] : parent?.children[key] {
        node = known
        node.lastUse = clock
      } else {
        // The way to here was used just now, so that it is not what goes.
        while blockCount >= blockLimit { guard evict(unusedOnly: false) else { return } }
        node = Node(block: block, lastUse: clock)
        if let parent { parent.children[key] = node } else { roots[root] = node }
        blockCount += 1
      }
      parent = node
      start = end
    }
  }

  /// Gives up the block that was used longest ago, among those that no sequence holds and no
  /// other block follows. False if there is none.
  package func evictOldest() -> Bool { evict(unusedOnly: true) }

  /// Bytes of the blocks that no sequence holds: what giving them up would free.
  package var unusedBytes: Int {
    var bytes = 0
    func visit(_ node: Node) {
      // Who holds a block holds those before it too.
      if isKnownUniquelyReferenced(&node.block) { bytes += node.block.byteCount }
      for child in node.children.values { visit(child) }
    }
    for root in roots.values { visit(root) }
    return bytes
  }

  /// Gives up all blocks.
  package func removeAll() {
    roots = [:]
    blockCount = 0
  }

  private func evict(unusedOnly: Bool) -> Bool {
    var oldest: (node: Node, remove: () -> Void)?
    func visit(_ node: Node, remove: @escaping () -> Void) {
      guard node.children.isEmpty else {
        for (key, child) in node.children { visit(child) { node.children[key] = nil } }
        return
      }
      guard node.lastUse < clock || unusedOnly, node.lastUse < oldest?.node.lastUse ?? .max,
        !unusedOnly || isKnownUniquelyReferenced(&node.block)
      else { return }
      oldest = (node, remove)
    }
    for (key, node) in roots { visit(node) { self.roots[key] = nil } }
    guard let oldest else { return false }
    oldest.remove()
    blockCount -= 1
    return true
  }
}
