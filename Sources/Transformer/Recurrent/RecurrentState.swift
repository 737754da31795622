import Kernels

/// What the delta-net layers keep of one sequence: the heads' states, and the last inputs of the convolution.
///
/// It holds what came of all `count` tokens and can't be cut back to fewer; a copy of an earlier one can be gone on
/// with instead (`RecurrentSnapshot`).
final class RecurrentState: @unchecked Sendable {
  // Unchecked: each worker writes heads and channels of its own, between barriers.

  /// What a sequence of a model keeps, whatever its length.
  struct Shape: Sendable, Equatable {
    let layer: DeltaNetShape
    /// Layers that keep a state.
    let layerCount: Int

    var byteCount: Int { 4 * layerCount * (layer.stateCount + layer.historyCount) }
  }

  /// Tokens that were taken in.
  private(set) var count = 0
  private let shape: Shape
  private let states: FloatBuffer
  /// nil where the convolution sees one token only.
  private let histories: FloatBuffer?

  init(_ shape: Shape) throws(KernelError) {
    self.shape = shape
    states = try FloatBuffer(rows: shape.layerCount, width: shape.layer.stateCount)
    histories =
      shape.layer.historyCount == 0
      ? nil : try FloatBuffer(rows: shape.layerCount, width: shape.layer.historyCount)
  }

  /// The same state, in memory of its own.
  convenience init(copying other: RecurrentState) throws(KernelError) {
    try self.init(other.shape)
    count = other.count
    states.pointer.update(from: other.states.pointer, count: states.count)
    if let histories, let source = other.histories {
      histories.pointer.update(from: source.pointer, count: histories.count)
    }
  }

  /// A layer's states. // (valueHeads, tiles, headDim, tileWidth)
  func states(_ index: Int) -> UnsafeMutablePointer<Float> { states.row(index) }

  /// The inputs before the next one, the oldest first. // (taps - 1, channels)
  func history(_ index: Int) -> UnsafeMutablePointer<Float> {
    histories?.row(index) ?? states.pointer
  }

  /// Counts tokens as taken in, after a pass.
  func commit(_ tokens: Int) { count += tokens }
}
