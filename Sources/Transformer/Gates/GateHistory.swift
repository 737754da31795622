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
  private var capacity = 0
  private var inputs: FloatBuffer?  // (capacity, width)
  private var probabilities: FloatBuffer?  // (capacity, experts)

  package init(gate: Gate) {
    width = gate.width
    expertCount = gate.expertCount
    keepsInputs = gate.smoothing?.similarity != .attention
  }

  /// An empty one for the same gate.
  private init(_ other: GateHistory) {
    width = other.width
    expertCount = other.expertCount
    keepsInputs = other.keepsInputs
  }

  /// Room for so many tokens in all.
  package func reserve(positions: Int) throws(ModelError) {
    guard positions > capacity else { return }
    guard positions < 1 << 32 else { throw .outOfMemory(bytes: Int.max) }
    let grown = max(positions, capacity * 2, 64)
    do {
      let newInputs = keepsInputs ? try FloatBuffer(rows: grown, width: width) : nil
      let newProbabilities = try FloatBuffer(rows: grown, width: expertCount)
      if let inputs { newInputs?.pointer.update(from: inputs.pointer, count: count * width) }
      if let probabilities {
        newProbabilities.pointer.update(
          from: probabilities.pointer, count: count * expertCount)
      }
      inputs = newInputs
      probabilities = newProbabilities
      capacity = grown
    } catch {
      throw ModelError.outOfMemory(bytes: grown * (width + expertCount) * 4)
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
    if let inputs { copy.inputs?.pointer.update(from: inputs.pointer, count: copy.count * width) }
    if let probabilities {
      copy.probabilities?.pointer.update(
        from: probabilities.pointer, count: copy.count * expertCount)
    }
    return copy
  }

  /// Forgets the tokens from `position` on.
  package func truncate(to position: Int) { count = min(count, max(position, 0)) }

  /// One position's row; nil where the smoothing needs none. // (width)
  func input(_ position: Int) -> UnsafeMutablePointer<Float>? {
    checkPosition(position)
    return inputs?.row(position)
  }

  func probabilities(_ position: Int) -> UnsafeMutablePointer<Float>? {
    checkPosition(position)
    return probabilities?.row(position)
  }

  private func checkPosition(_ position: Int) {
    precondition(position >= 0 && position < capacity, "position \(position) of \(capacity)")
  }
}
