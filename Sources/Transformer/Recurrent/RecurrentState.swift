import Kernels

/// How much a layer keeps of a sequence instead of keys and values.
protocol RecurrentLayerShape {
  /// Floats of its states; 0 where there are none.
  var stateCount: Int { get }
  /// Floats of the inputs that its convolution will see again; 0 where it sees one token only.
  var historyCount: Int { get }
}

/// What layers without keys and values keep of one sequence: heads' states (delta nets, Mamba-2), and the last inputs
/// of their convolutions.
///
/// It holds what came of all `count` tokens and can't be cut back to fewer; a copy of an earlier one can be gone on
/// with instead (`RecurrentSnapshot`).
final class RecurrentState: @unchecked Sendable {
  // Unchecked: each worker writes heads and channels of its own, between barriers.

  /// What a sequence of a model keeps, whatever its length.
  struct Shape: Sendable, Equatable {
    /// Layers that keep a state.
    let layerCount: Int
    /// Floats of a layer's states; 0 where there are none.
    let stateCount: Int
    /// Floats of the inputs that a layer's convolution will see again; 0 where it sees one token only.
    let historyCount: Int

    init(layer: any RecurrentLayerShape, layerCount: Int) {
      self.layerCount = layerCount
      stateCount = layer.stateCount
      historyCount = layer.historyCount
    }

    var byteCount: Int { 4 * layerCount * (stateCount + historyCount) }
  }

  /// Tokens that were taken in.
  private(set) var count = 0
  private let shape: Shape
  /// A layer's states, then its history. // (layers, stateCount + historyCount)
  private let layers: FloatBuffer

  init(_ shape: Shape) throws(KernelError) {
    self.shape = shape
    layers = try FloatBuffer(rows: shape.layerCount, width: shape.stateCount + shape.historyCount)
  }

  /// The same state, in memory of its own.
  convenience init(copying other: RecurrentState) throws(KernelError) {
    try self.init(other.shape)
    count = other.count
    layers.pointer.update(from: other.layers.pointer, count: layers.count)
  }

  /// A layer's states, in the order that its shape says.
  func states(_ index: Int) -> UnsafeMutablePointer<Float> { layers.row(index) }

  /// The inputs before the next one, the oldest first. // (taps - 1, channels)
  func history(_ index: Int) -> UnsafeMutablePointer<Float> {
    layers.row(index) + shape.stateCount
  }

  /// Counts tokens as taken in, after a pass.
  func commit(_ tokens: Int) { count += tokens }
}
