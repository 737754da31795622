import Synchronization

/// What the gates of one mixture say of a prompt, if they say it while the decision can wait.
///
/// The mixture scores the prompt behind whatever else its model runs. A router that does not get the
/// number takes the mean instead, so that a late one is worth nothing.
package final class GateFeature: Sendable {
  /// Reads the gates for a text; nil where the expert has none.
  package typealias Measure = @Sendable (_ text: String) async throws -> Double?

  /// How long a decision waits: several times what an idle model takes for the tokens that are read,
  /// and less than a person notices before an answer begins.
  package static let deadline = Duration.milliseconds(250)
  /// How long a mixture that could not be loaded is left alone: reading gigabytes to the same error
  /// for each request would take the disk from those that work.
  package static let pauseAfterFailure = Duration.seconds(60)

  /// The mixture.
  package let expert: String
  private let deadline: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let load: @Sendable () async throws -> Measure?
  private let report: @Sendable (any Error) -> Void
  private let pausedUntil = Mutex<ContinuousClock.Instant?>(nil)

  /// - Parameters:
  ///   - load: Gives what measures, loading the mixture if it has to; nil if the expert can't.
  ///   - report: Is told why there is no number, once for each load that failed.
  package init(
    expert: String, deadline: Duration = GateFeature.deadline,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    load: @escaping @Sendable () async throws -> Measure?,
    report: @escaping @Sendable (any Error) -> Void
  ) {
    self.expert = expert
    self.deadline = deadline
    self.now = now
    self.load = load
    self.report = report
  }

  /// The number for a text; nil where the mixture can't tell, or not in time. What it was still
  /// doing is cancelled then.
  package func value(of text: String) async -> Double? {
    guard !isPaused else { return nil }
    // A task group would wait for its slowest child, and a load can't be cancelled: whichever task
    // is first ends the stream, and nobody waits for the other.
    let (stream, continuation) = AsyncStream.makeStream(of: Double?.self)
    let work = Task {
      continuation.yield(await measured(text))
      continuation.finish()
    }
    let timer = Task {
      try? await Task.sleep(for: deadline)
      continuation.finish()
    }
    defer {
      work.cancel()
      timer.cancel()
    }
    for await value in stream { return value }
    return nil
  }

  private var isPaused: Bool {
    pausedUntil.withLock { until in
      guard let until else { return false }
      return now() < until
    }
  }

  private func measured(_ text: String) async -> Double? {
    let measure: Measure?
    do {
      measure = try await load()
    } catch {
      // Also where the decision has gone on long ago.
      pausedUntil.withLock { $0 = now() + Self.pauseAfterFailure }
      report(error)
      return nil
    }
    guard let measure, !Task.isCancelled else { return nil }
    do {
      return try await measure(text)
    } catch {
      // Cancelling is our own doing and no news.
      if !Task.isCancelled { report(error) }
      return nil
    }
  }
}
