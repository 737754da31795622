import Kernels

/// Cosines and sines for every layer's rotation, for as many positions as any sequence has
/// reached: a long context is not paid for before it is used.
final class RotaryTables {
  private let configuration: DecoderConfiguration
  private let limit: Int
  private let rotaries: [DecoderConfiguration.Rotary]
  /// Index into `rotaries`, a layer; nil where nothing is rotated.
  private let indices: [Int?]
  private(set) var embeddings: [RotaryEmbedding]

  /// - Parameter limit: Positions that a sequence can have at most.
  init(configuration: DecoderConfiguration, limit: Int) throws(ModelError) {
    self.configuration = configuration
    self.limit = limit
    let rotaries = configuration.rotaries
    self.rotaries = rotaries
    indices = configuration.layers.map { rotaries.firstIndex(of: $0.rotary) }
    embeddings = []
    embeddings = try make(positions: min(limit, 1024))
  }

  /// The table of a layer; nil where nothing is rotated.
  func embedding(layer: Int) -> RotaryEmbedding? { indices[layer].map { embeddings[$0] } }

  /// Makes sure that positions below `positions` are in the tables.
  func grow(to positions: Int) throws(ModelError) {
    guard let current = embeddings.first?.positions, positions > current else { return }
    embeddings = try make(positions: min(limit, max(positions, 2 * current)))
  }

  private func make(positions: Int) throws(ModelError) -> [RotaryEmbedding] {
    var made: [RotaryEmbedding] = []
    for rotary in rotaries {
      do {
        made.append(
          try RotaryEmbedding(
            style: configuration.rotaryStyle == .interleaved ? .interleaved : .halves,
            headDim: rotary.headDim ?? configuration.headDim,
            rotatedDim: rotary.headDim ?? configuration.rotaryWidth,
            base: rotary.base,
            positions: positions,
            frequencyFactors: configuration.frequencyFactors(rotary),
            magnitude: configuration.magnitude(rotary)))
      } catch {
        throw .invalidValue(
          key: "\(configuration.architecture).rope", value: "\(error)", expected: "a valid table")
      }
    }
    return made
  }
}
