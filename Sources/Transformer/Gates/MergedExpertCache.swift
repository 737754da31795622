import Synchronization

/// Merged experts, kept by what chose them: the task of an averaged adapter (MHR), or the
/// request's input of a gate that is known before the pass (MoDE). The least recently used goes
/// first.
package final class MergedExpertCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct State {
    var values: [Key: (value: Value, lastUse: UInt64)] = [:]
    var clock: UInt64 = 0
    var buildCount = 0
  }

  /// How many merged experts are kept.
  package let capacity: Int
  private let state = Mutex(State())

  package init(capacity: Int) throws(ModelError) {
    guard (1...65_536).contains(capacity) else {
      throw .invalidValue(key: "cache capacity", value: "\(capacity)", expected: "1 to 65536")
    }
    self.capacity = capacity
  }

  /// How often something was merged. A hit leaves it as it is.
  package var buildCount: Int { state.withLock { $0.buildCount } }
  package var count: Int { state.withLock { $0.values.count } }

  /// The value of a key: as it is kept, or from `build`. Whoever asks for the same key meanwhile
  /// waits, so that it is built once; what `build` throws is not kept.
  package func value(
    for key: Key, build: () throws(ModelError) -> Value
  ) throws(ModelError) -> Value {
    // Under the lock, and its result out of it: a lock's closure can't throw a type of its own
    // here and hand back a value that is not sent.
    let result: Result<Value, ModelError> = state.withLock { state in
      state.clock &+= 1
      if let kept = state.values[key] {
        state.values[key]?.lastUse = state.clock
        return .success(kept.value)
      }
      do throws(ModelError) {
        let value = try build()
        state.buildCount += 1
        while state.values.count >= capacity,
          let oldest = state.values.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
          state.values[oldest.key] = nil
        }
        state.values[key] = (value, state.clock)
        return .success(value)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// Forgets all, as when an expert is added.
  package func removeAll() { state.withLock { $0.values = [:] } }
}
