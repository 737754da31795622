import Synchronization

/// Whether an endpoint is worth asking: one that has just failed is left alone for a while, so that prompts go to
/// other experts at once instead of each waiting for the same error.
package final class EndpointHealth: Sendable {
  private struct State {
    /// Failures since the last success.
    var failures = 0
    var restsUntil: ContinuousClock.Instant?
    var problem = ""
  }

  private let state = Mutex(State())
  private let now: @Sendable () -> ContinuousClock.Instant

  /// The first rest; each further failure doubles it.
  package static let firstRest = Duration.seconds(2)
  /// The first rest after what a person has to mend: a key, an address, an account.
  package static let firstLongRest = Duration.seconds(60)
  package static let longestRest = Duration.seconds(300)
  /// The longest that an endpoint may ask for.
  package static let longestAskedRest = Duration.seconds(3_600)

  package init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    self.now = now
  }

  /// Why it is not to be asked now; nil where it may be. After a rest it may be asked by everybody, and the first
  /// failure begins the next.
  package var obstacle: String? {
    state.withLock { state in
      guard let until = state.restsUntil else { return nil }
      let left = now().duration(to: until)
      guard left > .zero else { return nil }
      let seconds = max(1, Int(left.components.seconds) + 1)
      return "\(state.problem); it is asked again in \(seconds) s"
    }
  }

  /// It answered.
  package func succeeded() {
    state.withLock { $0 = State() }
  }

  /// It failed, in a way that the next request would meet too.
  ///
  /// - Parameters:
  ///   - retryAfter: What the endpoint itself asked for.
  ///   - needsPerson: Whether it will hardly go away by itself.
  package func failed(_ problem: String, retryAfter: Duration? = nil, needsPerson: Bool = false) {
    state.withLock { state in
      // Requests that ran together and failed together are one failure.
      if let until = state.restsUntil, until > now() { return }
      let first = needsPerson ? Self.firstLongRest : Self.firstRest
      let rest =
        retryAfter.map { min($0, Self.longestAskedRest) }
        ?? min(first * (1 << min(state.failures, 10)), Self.longestRest)
      state.failures += 1
      state.restsUntil = now() + rest
      state.problem = problem
    }
  }
}
