import Kernels

/// What a gate with smoothing keeps of one sequence in one layer: the rows and the probabilities
/// of its tokens, so that decoding chooses as reading the whole text at once does.
///
/// A pass does, for each sequence: `reserve`; then workers `Gate.remember` their rows; a barrier;
/// workers `Gate.choose` with the history; a barrier; one `commit`.
package final class GateHistory: @unchecked Sendable {
  // Unchecked: a position is written by one worker, and barriers order the readers.

  package let width: Int
  package let expertCount: Int
  /// Tokens of the passes that are done.
  package private(set) var count = 0
  /// Whether similarities are computed from the rows; otherwise they are the attention's weights.
  let keepsInputs: Bool
  /// As many positions as the pages of the sequence's cache have: memory grows with them, and is
  /// charged with them. A row is the input, where that is kept, then the probabilities.
  /// // (KVLayout.positions, inputWidth + experts)
  private var blocks: [FloatBuffer] = []
  /// Where the blocks begin.
  private var bases: [UnsafeMutablePointer<Float>] = []

  package init(gate: Gate) {
    width = gate.width
    expertCount = gate.expertCount
    keepsInputs = Self.keepsInputs(gate)
  }

  /// An empty one for the same gate.
  private init(_ other: GateHistory) {
    width = other.width
    expertCount = other.expertCount
    keepsInputs = other.keepsInputs
  }

  private static func keepsInputs(_ gate: Gate) -> Bool {
    gate.smoothing?.similarity != .attention
  }

  /// Bytes for the positions of one block of a cache; 0 for a gate that is not smoothed.
  static func bytesPerBlock(_ gate: Gate) -> Int {
    guard gate.smoothing != nil else { return 0 }
    return KVLayout.positions * ((keepsInputs(gate) ? gate.width : 0) + gate.expertCount) * 4
  }

  private var inputWidth: Int { keepsInputs ? width : 0 }
  private var rowWidth: Int { inputWidth + expertCount }
  private var capacity: Int { blocks.count * KVLayout.positions }

  /// Room for so many tokens in all.
  package func reserve(positions: Int) throws(ModelError) {
    guard positions > capacity else { return }
    guard positions < 1 << 32 else { throw .outOfMemory(bytes: Int.max) }
    while capacity < positions {
      do {
        let block = try FloatBuffer(rows: KVLayout.positions, width: rowWidth)
        blocks.append(block)
        bases.append(block.pointer)
      } catch {
        throw ModelError.outOfMemory(bytes: KVLayout.positions * rowWidth * 4)
      }
    }
  }

  /// The tokens that workers have remembered belong to the sequence.
  package func commit(_ tokens: Int) {
    count = min(count + max(tokens, 0), capacity)
  }

  /// The history of another sequence that begins with the tokens before `position`.
  package func copy(upTo position: Int) throws(ModelError) -> GateHistory {
    let copy = GateHistory(self)
    copy.count = min(max(position, 0), count)
    try copy.reserve(positions: copy.count)
    for (block, source) in zip(copy.blocks, blocks) {
      block.pointer.update(from: source.pointer, count: block.count)
    }
    return copy
  }

  /// Forgets the tokens from `position` on, and gives back the memory that holds none any more.
  package func truncate(to position: Int) {
    count = min(count, max(position, 0))
    let needed = (count + KVLayout.positions - 1) / KVLayout.positions
    guard needed < blocks.count else { return }
    blocks.removeLast(blocks.count - needed)
    bases.removeLast(bases.count - needed)
  }

  /// One position's row; nil where the smoothing needs none. // (width)
  func input(_ position: Int) -> UnsafeMutablePointer<Float>? {
    keepsInputs ? row(position) : nil
  }

  /// // (experts)
  func probabilities(_ position: Int) -> UnsafeMutablePointer<Float> {
    row(position) + inputWidth
  }

  @inline(__always)
  private func row(_ position: Int) -> UnsafeMutablePointer<Float> {
    precondition(position >= 0 && position < capacity, "position \(position) of \(capacity)")
    return bases[position / KVLayout.positions] + position % KVLayout.positions * rowWidth
  }
}
