import Kernels

/// Makes one adapter of a mixture whose gates look at the request alone: the experts are merged
/// before the pass, once for each request's choice, and kept. No gate runs then, and a token costs
/// what it costs with a single adapter.
final class AdapterMerging: Sendable {
  /// What becomes of the chosen experts.
  enum Kind: String, Sendable, Decodable {
    /// The sum of their results, weighted: what the mixture would give token by token, exactly. The
    /// ranks add up (MoDE).
    case results
    /// The results of their summed parameters, weighted before the product: A = sum w A[e],
    /// B = sum w B[e], of the rank that each has (Polytropon, MHR).
    case parameters
  }

  /// All that the gates see of a request.
  private struct Key: Hashable {
    var task: Int?
    /// Nil only where the gates' own numbers differ, and each takes its own.
    var expertsK: Int?
  }

  /// A layer's gates, one for each split of the inputs and outputs (MHR); one split is Polytropon.
  typealias LayerGates = [AdapterGates.Place: [Gate]]

  /// Merged adapters that are kept; each is as large as an expert, or as all chosen ones.
  private static let capacity = 32

  private let kind: Kind
  private let experts: [LowRankAdapter]
  private let modules: Set<AdaptedModule>
  private let layers: [LayerGates]
  private let target: AdapterTarget
  private let cache: MergedExpertCache<Key, Adapter>
  /// Experts that every gate keeps where the request doesn't say; nil if they differ.
  private let ownK: Int?

  /// - Parameters:
  ///   - experts: One at least, all for `target`.
  ///   - layers: A gate at least for each place that an expert changes; all are known before the
  ///     pass.
  init(
    _ kind: Kind, experts: [LowRankAdapter], modules: Set<AdaptedModule>, layers: [LayerGates],
    target: AdapterTarget
  ) throws(ModelError) {
    self.kind = kind
    self.experts = experts
    self.modules = modules
    self.layers = layers
    self.target = target
    cache = try MergedExpertCache(capacity: Self.capacity)
    let own = Set(layers.flatMap { $0.values.joined() }.map(\.ownK))
    ownK = own.count == 1 ? own.first : nil
    // Whether shapes allow it doesn't depend on the request.
    if kind == .parameters { _ = try merge(Key()) }
  }

  /// All gates there are.
  var gates: [Gate] { layers.flatMap { $0.values.joined() } }

  /// How often experts have been merged for a request.
  var buildCount: Int { cache.buildCount }

  /// The adapter for what a request asks, as it is kept, or made now: that reads every expert and
  /// takes a thread for as long.
  func adapter(for request: GateRequest) throws(ModelError) -> Adapter {
    let key = key(request)
    return try cache.value(for: key) { () throws(ModelError) in try merge(key) }
  }

  /// The adapter for what a request asks, if there is one.
  func known(for request: GateRequest) -> Adapter? { cache.known(key(request)) }

  /// Requests that lead to the same choice have the same key, and with it one adapter.
  private func key(_ request: GateRequest) -> Key {
    Key(task: request.task, expertsK: request.expertsK ?? ownK)
  }

  private func merge(_ key: Key) throws(ModelError) -> Adapter {
    var groups: [LowRankAdapter.Group?] = []
    for layer in layers.indices {
      var weights: [AdapterGates.Place: [[Float]]] = [:]  // (splits, experts)
      for (place, gates) in layers[layer] {
        var rows: [[Float]] = []
        for gate in gates {
          rows.append(try gate.weights(task: key.task, expertsK: key.expertsK))
        }
        weights[place] = rows
      }
      for input in AdapterInput.allCases {
        groups.append(
          try group(layer: layer, input, weights: weights[AdapterGates.Place(input)] ?? []))
      }
    }
    return Adapter(LowRankAdapter(target: target, groups: groups))
  }

  /// The merged additions to the modules with this input; nil if there are none.
  private func group(
    layer: Int, _ input: AdapterInput, weights: [[Float]]
  ) throws(ModelError) -> LowRankAdapter.Group? {
    var builder: LowRankAdapter.GroupBuilder?
    for module in AdaptedModule.allCases where module.input == input && modules.contains(module) {
      guard let pair = try pair(module, layer: layer, weights: weights) else { continue }
      if builder == nil { builder = .init(inputs: pair.inputs, precision: target.precision) }
      do {
        try builder?.add(
          module,
          down: UnsafeBufferPointer(start: pair.down.pointer, count: pair.rank * pair.inputs),
          up: pair.up)
      } catch {
        throw .outOfMemory(bytes: pair.up.byteCount)
      }
    }
    do {
      return try builder?.group()
    } catch {
      throw .unsupported(key: "merged adapters of layer \(layer)", value: "\(error)")
    }
  }

  /// The merged addition to a module; nil if no chosen expert has one.
  private func pair(
    _ module: AdaptedModule, layer: Int, weights: [[Float]]
  ) throws(ModelError) -> LowRankPair? {
    var pairs: [LowRankPair] = []
    var rows = weights.map { _ in [Float]() }
    for (index, expert) in experts.enumerated()
    where weights.contains(where: { $0[index] != 0 }) {
      guard let pair = try expert.pair(module, layer: layer) else { continue }
      pairs.append(pair)
      for split in rows.indices { rows[split].append(weights[split][index]) }
    }
    guard let first = pairs.first, let row = rows.first else { return nil }
    switch kind {
    case .results: return try .fused(pairs, weights: row)
    case .parameters:
      // A base may hold a head's outputs in another order than the adapter's file.
      guard rows.count == 1 || target.keepsOrder(module, blocks: first.outputs / rows.count) else {
        throw .unsupported(
          key: "splits of \(module.name)", value: "\(rows.count), which cut a head in two")
      }
      return try .averaged(pairs, weights: rows)
    }
  }
}
