import Synchronization

/// What a request asks of its base's linear maps: one low-rank adapter, or several that gates weigh,
/// token by token, or once for the request where they look at nothing else.
package final class Adapter: Sendable {
  /// Tells adapters apart for as long as the process runs: no two are ever the same.
  package let identity: UInt64
  /// The low-rank additions, one for a single adapter.
  package let experts: [LowRankAdapter]
  /// Weighs the experts token by token; nil where there is one, which is added in full, or where
  /// `merging` makes it one.
  let gates: AdapterGates?
  /// Makes one adapter of the experts for each request.
  private let merging: AdapterMerging?
  /// The modules that are changed, a bit each.
  private let moduleBits: UInt16

  private static let made = Atomic<UInt64>(0)

  /// One adapter that is added in full.
  package init(_ adapter: LowRankAdapter) {
    identity = Self.made.add(1, ordering: .relaxed).newValue
    experts = [adapter]
    gates = nil
    merging = nil
    moduleBits = .max
  }

  /// A mixture: on these modules, each row gets the experts that its gate chooses. There is an
  /// expert at least, and all are for the same base.
  init(experts: [LowRankAdapter], modules: Set<AdaptedModule>, gates: AdapterGates) {
    identity = Self.made.add(1, ordering: .relaxed).newValue
    self.experts = experts
    self.gates = gates
    merging = nil
    moduleBits = modules.reduce(0) { $0 | 1 << UInt16($1.rawValue) }
  }

  /// A mixture whose experts are merged before the pass.
  init(experts: [LowRankAdapter], merging: AdapterMerging) {
    identity = Self.made.add(1, ordering: .relaxed).newValue
    self.experts = experts
    gates = nil
    self.merging = merging
    moduleBits = .max
  }

  /// Loads a single adapter in PEFT's form.
  package convenience init(path: String, target: AdapterTarget) throws(AdapterError) {
    self.init(try LowRankAdapter(path: path, target: target))
  }

  /// The adapter that a request with these wishes runs with: this one, or what its experts are merged
  /// to for the request's task. Merged ones are kept, so that the next request with the same wishes
  /// gets the same. Merging takes a thread: whoever runs requests asks `known(for:)` first. A pass
  /// asks, too.
  package func resolved(for request: GateRequest) throws(ModelError) -> Adapter {
    try merging?.adapter(for: request) ?? self
  }

  /// `resolved(for:)` where nothing has to be merged; nil otherwise.
  package func known(for request: GateRequest) -> Adapter? {
    guard let merging else { return self }
    return merging.known(for: request)
  }

  /// How often experts have been merged; nil where none are.
  package var mergeCount: Int? { merging?.buildCount }

  /// The gates that a request's wishes must suit.
  package var allGates: [Gate] { merging?.gates ?? gates?.all ?? [] }

  /// Whether a gate of it looks at the tokens before.
  package var smoothsGates: Bool { gates?.all.contains { $0.smoothing != nil } ?? false }

  /// Bytes that gates which look at the tokens before keep of a sequence, for the positions of a block
  /// of its cache.
  package var historyBytesPerBlock: Int { gates?.historyBytesPerBlock ?? 0 }

  /// Whether it was made for this base.
  package func isMade(for target: AdapterTarget) -> Bool {
    experts.allSatisfy { $0.target === target }
  }

  @inline(__always)
  func changes(_ module: AdaptedModule) -> Bool { moduleBits & 1 << UInt16(module.rawValue) != 0 }

  /// Memory that it takes; adapters that a mixture shares with others are counted too.
  package var byteCount: Int {
    experts.reduce(gates?.byteCount ?? 0) { $0 + $1.byteCount }
  }
}
