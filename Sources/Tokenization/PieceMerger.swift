/// Joins neighbouring pieces of a text whenever the joined text is a token, the highest score
/// first and the leftmost of equal ones, until no two neighbours can be joined.
struct PieceMerger {
  let pieces: ByteStringTable
  let scores: [Float]

  private struct Symbol {
    var start: Int32
    /// 0 once the symbol was joined to its left neighbour.
    var length: Int32
    var previous: Int32
    var next: Int32
  }

  private struct Candidate: Comparable {
    let score: Float
    let left: Int32
    let right: Int32
    /// The joined length, to see whether the candidate still stands.
    let length: Int32

    // The heap gives the smallest first, so the higher score is the smaller one.
    static func < (a: Candidate, b: Candidate) -> Bool {
      a.score != b.score ? a.score > b.score : a.left < b.left
    }
  }

  private var symbols: [Symbol] = []
  private var heap = MinimumHeap<Candidate>()

  init(pieces: ByteStringTable, scores: [Float]) {
    self.pieces = pieces
    self.scores = scores
  }

  /// Calls the body with the byte range of every piece, in order.
  mutating func merge(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    symbols.removeAll(keepingCapacity: true)
    var offset = 0
    while offset < text.count {
      let length = min(UTF8Boundary.length(lead: text[offset]) ?? 1, text.count - offset)
      let index = Int32(truncatingIfNeeded: symbols.count)
      symbols.append(
        Symbol(
          start: Int32(truncatingIfNeeded: offset), length: Int32(length), previous: index - 1,
          next: index + 1))
      offset += length
    }
    guard !symbols.isEmpty else { return }
    symbols[symbols.count - 1].next = -1
    for left in 0..<symbols.count - 1 { push(Int32(left), Int32(left + 1), text) }
    while let candidate = heap.pop() {
      let left = Int(candidate.left)
      let right = Int(candidate.right)
      guard symbols[left].length > 0, symbols[right].length > 0,
        symbols[left].length + symbols[right].length == candidate.length
      else { continue }
      symbols[left].length = candidate.length
      symbols[right].length = 0
      let after = symbols[right].next
      symbols[left].next = after
      if after >= 0 {
        symbols[Int(after)].previous = candidate.left
        push(candidate.left, after, text)
      }
      if symbols[left].previous >= 0 { push(symbols[left].previous, candidate.left, text) }
    }
    var index: Int32 = 0
    while index >= 0 {
      let symbol = symbols[Int(index)]
      body(Int(symbol.start)..<Int(symbol.start + symbol.length))
      index = symbol.next
    }
  }

  private mutating func push(_ left: Int32, _ right: Int32, _ text: UnsafeRawBufferPointer) {
    let start = Int(symbols[Int(left)].start)
    let length = symbols[Int(left)].length + symbols[Int(right)].length
    let id = pieces.find(UnsafeRawBufferPointer(rebasing: text[start..<start + Int(length)]))
    guard id >= 0 else { return }
    heap.push(Candidate(score: scores[Int(id)], left: left, right: right, length: length))
  }
}
