/// What the smoothed gates of a model, and of the adapter that it runs with, keep of one sequence:
/// a `GateHistory` each. They belong to the sequence's cache, and have seen just the tokens that it
/// holds.
///
/// A token takes width + experts floats for each gate, beside its keys and values; the sequence's cache
/// charges both to its pool.
final class GateHistories {
  /// Where a smoothed gate stands in a layer.
  enum Place: Int, CaseIterable {
    /// The layer's own mixture of experts.
    case mixture
    /// The gates of a mixture of adapters.
    case adapterAttention, adapterFeedForward
  }

  /// The adapter whose gates are among them (`Adapter.identity`); nil for the base's alone.
  let adapter: UInt64?
  private let histories: [GateHistory?]  // (layers, places)

  /// - Parameter gate: The gate at a place of a layer; those without smoothing need no history.
  init(adapter: UInt64?, layerCount: Int, gate: (Place, _ layer: Int) -> Gate?) {
    self.adapter = adapter
    histories = (0..<layerCount).flatMap { layer in
      Place.allCases.map { place in
        guard let gate = gate(place, layer), gate.smoothing != nil else { return nil }
        return GateHistory(gate: gate)
      }
    }
  }

  private init(adapter: UInt64?, histories: [GateHistory?]) {
    self.adapter = adapter
    self.histories = histories
  }

  /// Tokens that all gates have seen; nil if there is no gate.
  var count: Int? { histories.lazy.compactMap { $0?.count }.min() }

  /// Whether a gate needs the layer's attention weights.
  var readsAttention: Bool { histories.contains { $0?.keepsInputs == false } }

  @inline(__always)
  subscript(place: Place, layer layer: Int) -> GateHistory? {
    histories[layer * Place.allCases.count + place.rawValue]
  }

  /// Room for so many tokens in all.
  func reserve(positions: Int) throws(ModelError) {
    for history in histories { try history?.reserve(positions: positions) }
  }

  /// The tokens of a pass belong to the sequence.
  func commit(_ tokens: Int) {
    for history in histories { history?.commit(tokens) }
  }

  /// Forgets the tokens from `position` on.
  func truncate(to position: Int) {
    for history in histories { history?.truncate(to: position) }
  }

  /// Another sequence that begins with the tokens before `position`.
  func copy(upTo position: Int) throws(ModelError) -> GateHistories {
    var copies: [GateHistory?] = []
    for history in histories { copies.append(try history?.copy(upTo: position)) }
    return GateHistories(adapter: adapter, histories: copies)
  }
}
