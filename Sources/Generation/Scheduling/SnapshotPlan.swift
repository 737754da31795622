import Kernels
import Transformer

/// Where the state of a sequence's recurrent layers is copied, for requests that begin like it.
///
/// A state can't be cut back, and a copy is as large as the keys and values of hundreds of tokens, so that
/// there are few: one shortly before the prompt's end, where a conversation's next turn parts from it if the
/// template leaves the thinking of earlier answers out; the last full block of the answer, where it does not; and where
/// earlier texts part from this one, as behind a system message that many prompts begin with.
struct SnapshotPlan {
  /// Positions in the prompt, in order.
  private let places: [Int]
  private let promptCount: Int
  /// Those that no tree has yet, in order; of the answer the last one.
  var taken: [RecurrentSnapshot] = []

  /// Tokens at a prompt's end that open the answer, and may not stand there when it is part of the next prompt.
  private static let openingTokens = 8
  /// Reading fewer tokens again costs less than the pass more that a snapshot makes.
  private static let fewTokens = 2 * KVLayout.positions
  /// Snapshots that a tree has room for, whatever the limit on past texts is.
  private static let leastSnapshots = 4

  /// - Parameter known: What is known of the prompt's beginning.
  init(promptCount: Int, _ known: PrefixTree.Match) {
    self.promptCount = promptCount
    let begun = known.blocks.count * KVLayout.positions
    let last = max(0, promptCount - Self.openingTokens) / KVLayout.positions * KVLayout.positions
    places = [known.knownPositions, last].filter { $0 >= begun + Self.fewTokens }.sorted()
  }

  /// A tree for what a model computes, of so many bytes: of recurrent ones more, so that there are some snapshots.
  static func tree(for decoder: Decoder, bytes: Int) -> PrefixTree {
    let pool = decoder.pagePool
    let least = bytes > 0 ? leastSnapshots * pool.bytesPerSequence : 0
    return PrefixTree(
      blockLimit: min(max(bytes, least) / pool.bytesPerBlock, pool.blockLimit / 2),
      blocksPerSnapshot: (pool.bytesPerSequence + pool.bytesPerBlock - 1) / pool.bytesPerBlock)
  }

  /// The next place in the prompt.
  func nextPlace(after position: Int) -> Int? { places.first { $0 > position } }

  func isPlace(_ position: Int) -> Bool {
    places.contains(position)
      || (position > promptCount && position.isMultiple(of: KVLayout.positions))
  }

  mutating func take(_ snapshot: RecurrentSnapshot) {
    // One that gave its memory up comes by the same places again.
    taken.removeAll {
      $0.count == snapshot.count || ($0.count > promptCount && snapshot.count > promptCount)
    }
    taken.append(snapshot)
    taken.sort { $0.count < $1.count }
  }
}
