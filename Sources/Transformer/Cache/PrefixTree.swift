import Kernels

/// Blocks of past sequences, by the tokens that lead to them: a request that begins as an earlier
/// one did takes over what was computed for it.
///
/// A node is a block; its place in the tree is the whole text up to the block's end, compared token
/// by token, so that a block is only ever reused after exactly the tokens it was computed from.
package final class PrefixTree {
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
  private var roots: [[Int32]: Node] = [:]
  private var clock: UInt64 = 0

  package init(blockLimit: Int) { self.blockLimit = max(0, blockLimit) }

  /// The blocks of the longest known beginning of `tokens` that leaves at least one token out:
  /// the last one has to be computed for its logits.
  package func longestPrefix(of tokens: [Int32]) -> [KVBlock] {
    clock += 1
    var blocks: [KVBlock] = []
    var children = roots
    var start = 0
    while start + KVLayout.positions < tokens.count,
      let node = children[Array(tokens[start..<start + KVLayout.positions])]
    {
      node.lastUse = clock
      blocks.append(node.block)
      children = node.children
      start += KVLayout.positions
    }
    return blocks
  }

  /// Keeps the full blocks of a sequence whose cache holds `tokens`.
  package func insert(_ tokens: ArraySlice<Int32>, blocks: ArraySlice<KVBlock>) {
    guard blockLimit > 0 else { return }
    clock += 1
    var parent: Node?
    var start = tokens.startIndex
    for block in blocks {
      let end = start + KVLayout.positions
      guard end <= tokens.endIndex else { return }
      let key = Array(tokens[start..<end])
      let node: Node
      if let known = parent == nil ? roots[key] : parent?.children[key] {
        node = known
        node.lastUse = clock
      } else {
        // The way to here was used just now, so that it is not what goes.
        while blockCount >= blockLimit { guard evict(unusedOnly: false) else { return } }
        node = Node(block: block, lastUse: clock)
        if let parent { parent.children[key] = node } else { roots[key] = node }
        blockCount += 1
      }
      parent = node
      start = end
    }
  }

  /// Gives up the block that was used longest ago, among those that no sequence holds and no
  /// other block follows. False if there is none.
  package func evictOldest() -> Bool { evict(unusedOnly: true) }

  /// Gives up all blocks.
  package func removeAll() {
    roots = [:]
    blockCount = 0
  }

  private func evict(unusedOnly: Bool) -> Bool {
    var oldest: (node: Node, parent: Node?, key: [Int32])?
    func visit(_ children: [[Int32]: Node], parent: Node?) {
      for (key, node) in children {
        guard node.children.isEmpty else {
          visit(node.children, parent: node)
          continue
        }
        guard node.lastUse < clock || unusedOnly, node.lastUse < oldest?.node.lastUse ?? .max,
          !unusedOnly || isKnownUniquelyReferenced(&node.block)
        else { continue }
        oldest = (node, parent, key)
      }
    }
    visit(roots, parent: nil)
    guard let oldest else { return false }
    if let parent = oldest.parent {
      parent.children[oldest.key] = nil
    } else {
      roots[oldest.key] = nil
    }
    blockCount -= 1
    return true
  }
}
