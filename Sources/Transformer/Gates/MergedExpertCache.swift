import Foundation

/// Merged experts, kept by what chose them: the task of an averaged adapter (MHR), or the
/// request's input of a gate that is known before the pass (MoDE). The least recently used goes
/// first; while a request still runs with it, whoever asks again gets that one, and no copy.
package final class MergedExpertCache<
  Key: Hashable & Sendable, Value: AnyObject & Sendable
>: @unchecked Sendable {
  // Unchecked: all state is behind `condition`.

  /// A value that the cache has let go of, as long as somebody else holds it.
  private struct Lent {
    weak var value: Value?
  }

  /// How many merged experts are kept.
  package let capacity: Int
  private let condition = NSCondition()
  private var kept: [Key: (value: Value, lastUse: UInt64)] = [:]
  private var lent: [Key: Lent] = [:]
  /// What is being merged now.
  private var building: Set<Key> = []
  private var clock: UInt64 = 0
  private var builds = 0

  package init(capacity: Int) throws(ModelError) {
    guard (1...65_536).contains(capacity) else {
      throw .invalidValue(key: "cache capacity", value: "\(capacity)", expected: "1 to 65536")
    }
    self.capacity = capacity
  }

  /// How often something was merged. A hit leaves it as it is.
  package var buildCount: Int { condition.withLock { builds } }
  package var count: Int { condition.withLock { kept.count } }

  /// The value of a key, if there is one; never waits for one that is being built.
  package func known(_ key: Key) -> Value? { condition.withLock { find(key) } }

  /// The value of a key: as it is known, or from `build`. Whoever asks for the same key meanwhile
  /// waits, so that it is built once; other keys go on. What `build` throws is not kept. Building
  /// and waiting take a thread: not one of Swift's cooperative ones.
  package func value(
    for key: Key, build: () throws(ModelError) -> Value
  ) throws(ModelError) -> Value {
    let found = condition.withLock {
      while building.contains(key) { condition.wait() }
      let found = find(key)
      if found == nil { building.insert(key) }
      return found
    }
    if let found { return found }
    do throws(ModelError) {
      let value = try build()
      condition.withLock {
        builds += 1
        keep(value, for: key)
        finish(key)
      }
      return value
    } catch {
      condition.withLock { finish(key) }
      throw error
    }
  }

  /// Forgets all, as when an expert is added.
  package func removeAll() {
    condition.withLock {
      kept = [:]
      lent = [:]
    }
  }

  // MARK: - Under the lock

  private func find(_ key: Key) -> Value? {
    if let found = kept[key]?.value {
      clock &+= 1
      kept[key]?.lastUse = clock
      return found
    }
    guard let found = lent[key]?.value else { return nil }
    keep(found, for: key)
    return found
  }

  private func keep(_ value: Value, for key: Key) {
    clock &+= 1
    lent[key] = nil
    while kept.count >= capacity,
      let oldest = kept.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      kept[oldest.key] = nil
      lent = lent.filter { $0.value.value != nil }
      lent[oldest.key] = Lent(value: oldest.value.value)
    }
    kept[key] = (value, clock)
  }

  private func finish(_ key: Key) {
    building.remove(key)
    condition.broadcast()
  }
}
