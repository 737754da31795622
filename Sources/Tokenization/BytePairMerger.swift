/// Applies merges to the symbols of one word: always the lowest rank, the leftmost first. Keeps
/// its buffers between words.
struct BytePairMerger {
  let table: MergeTable

  /// Words up to this many symbols are scanned again after every merge, which is faster than a
  /// heap for short ones; longer ones, which anyone can send, take n log n.
  static let scanLimit = 48

  private var merges: [MergeTable.Merge] = []
  private var previous: [Int32] = []
  private var next: [Int32] = []
  private var heap = MinimumHeap<Candidate>()

  init(table: MergeTable) { self.table = table }

  private static let none = MergeTable.Merge(rank: .max, merged: -1)

  private struct Candidate: Comparable {
    let rank: Int32
    let left: Int32
    /// The pair as it was, to see whether the candidate still stands.
    let leftId: Int32
    let rightId: Int32
    let merged: Int32

    static func < (a: Candidate, b: Candidate) -> Bool {
      a.rank != b.rank ? a.rank < b.rank : a.left < b.left
    }
  }

  /// Merges the symbols in place.
  mutating func merge(_ symbols: inout [Int32]) {
    if symbols.count < 2 { return }
    if symbols.count <= Self.scanLimit { mergeByScan(&symbols) } else { mergeByHeap(&symbols) }
  }

  private mutating func mergeByScan(_ symbols: inout [Int32]) {
    merges.removeAll(keepingCapacity: true)
    for index in 0..<symbols.count - 1 {
      merges.append(table.find(symbols[index], symbols[index + 1]) ?? Self.none)
    }
    while true {
      var best = -1
      var rank = Int32.max
      for index in merges.indices where merges[index].rank < rank {
        rank = merges[index].rank
        best = index
      }
      if best < 0 { return }
      symbols[best] = merges[best].merged
      symbols.remove(at: best + 1)
      merges.remove(at: best)
      if best < merges.count {
        merges[best] = table.find(symbols[best], symbols[best + 1]) ?? Self.none
      }
      if best > 0 {
        merges[best - 1] = table.find(symbols[best - 1], symbols[best]) ?? Self.none
      }
    }
  }

  private mutating func mergeByHeap(_ symbols: inout [Int32]) {
    let count = Int32(truncatingIfNeeded: symbols.count)
    previous = (0..<count).map { $0 - 1 }
    next = (0..<count).map { $0 + 1 < count ? $0 + 1 : -1 }
    for left in 0..<count - 1 { push(left, left + 1, symbols) }
    while let candidate = heap.pop() {
      let left = candidate.left
      let right = next[Int(left)]
      // A symbol that was merged into its left neighbour has id -1.
      guard right >= 0, symbols[Int(left)] == candidate.leftId,
        symbols[Int(right)] == candidate.rightId
      else { continue }
      symbols[Int(left)] = candidate.merged
      symbols[Int(right)] = -1
      let after = next[Int(right)]
      next[Int(left)] = after
      if after >= 0 {
        previous[Int(after)] = left
        push(left, after, symbols)
      }
      let before = previous[Int(left)]
      if before >= 0 { push(before, left, symbols) }
    }
    symbols.removeAll { $0 < 0 }
  }

  private mutating func push(_ left: Int32, _ right: Int32, _ symbols: [Int32]) {
    let leftId = symbols[Int(left)]
    let rightId = symbols[Int(right)]
    guard let merge = table.find(leftId, rightId) else { return }
    heap.push(
      Candidate(
        rank: merge.rank, left: left, leftId: leftId, rightId: rightId, merged: merge.merged))
  }
}
