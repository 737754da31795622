import Dispatch
import Foundation

/// Calls back at each SIGHUP, one call after the other.
final class ReloadSignal: @unchecked Sendable {
  // Unchecked: a source may be cancelled from any thread, which its type does not say.
  private let source: any DispatchSourceSignal
  private let work: Task<Void, Never>

  /// Returns when the signal is listened for, and the system has given what that takes.
  init(onSignal: @escaping @Sendable () async -> Void) {
    // Several that come while one is being followed are one.
    let (signals, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    work = Task { for await _ in signals { await onSignal() } }
    let registered = DispatchSemaphore(value: 0)
    signal(SIGHUP, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
    source.setEventHandler { continuation.yield() }
    source.setRegistrationHandler { registered.signal() }
    source.resume()
    registered.wait()
  }

  func cancel() {
    source.cancel()
    work.cancel()
  }
}
