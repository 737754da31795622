import Synchronization

/// What a request asks of its base's linear maps: one low-rank adapter, or several that a gate
/// weighs token by token.
package final class Adapter: Sendable {
  /// Tells adapters apart for as long as the process runs: no two are ever the same.
  package let identity: UInt64
  /// The low-rank additions, one for a single adapter.
  package let experts: [LowRankAdapter]
  /// The base that it was made for.
  package let target: AdapterTarget

  private static let made = Atomic<UInt64>(0)

  /// One adapter that is added in full.
  package init(_ adapter: LowRankAdapter) {
    identity = Self.made.add(1, ordering: .relaxed).newValue
    experts = [adapter]
    target = adapter.target
  }

  /// Loads a single adapter in PEFT's form.
  package convenience init(path: String, target: AdapterTarget) throws(AdapterError) {
    self.init(try LowRankAdapter(path: path, target: target))
  }

  /// Memory that it takes; adapters that a mixture shares with others are counted too.
  package var byteCount: Int { experts.reduce(0) { $0 + $1.byteCount } }
}
