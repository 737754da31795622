import Kernels

/// Cosines and sines for every layer's rotary base, for as many positions as any sequence has
/// reached: a long context is not paid for before it is used.
final class RotaryTables {
  private let configuration: DecoderConfiguration
  private let limit: Int
  private let bases: [Double]
  /// Index into `bases`, a layer.
  private let baseOfLayer: [Int]
  private(set) var embeddings: [RotaryEmbedding]

  /// - Parameter limit: Positions that a sequence can have at most.
  init(configuration: DecoderConfiguration, limit: Int) throws(ModelError) {
    self.configuration = configuration
    self.limit = limit
    let bases = configuration.rotaryBases
    self.bases = bases
    baseOfLayer = configuration.layers.map { layer in
      bases.firstIndex(of: layer.rotaryBase) ?? 0
    }
    embeddings = []
    embeddings = try make(positions: min(limit, 1024))
  }

  /// The table of a layer.
  func embedding(layer: Int) -> RotaryEmbedding { embeddings[baseOfLayer[layer]] }

  /// Makes sure that positions below `positions` are in the tables.
  func grow(to positions: Int) throws(ModelError) {
    guard let current = embeddings.first?.positions, positions > current else { return }
    embeddings = try make(positions: min(limit, max(positions, 2 * current)))
  }

  private func make(positions: Int) throws(ModelError) -> [RotaryEmbedding] {
    var made: [RotaryEmbedding] = []
    for base in bases {
      do {
        made.append(
          try RotaryEmbedding(
            style: configuration.rotaryStyle == .interleaved ? .interleaved : .halves,
            headDim: configuration.headDim, rotatedDim: configuration.rotaryWidth, base: base,
            positions: positions,
            frequencyFactors: configuration.frequencyFactors(base: base),
            magnitude: configuration.yarn?.magnitude ?? 1))
      } catch {
        throw .invalidValue(
          key: "\(configuration.architecture).rope", value: "\(error)", expected: "a valid table")
      }
    }
    return made
  }
}
