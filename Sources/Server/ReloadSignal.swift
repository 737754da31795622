import Dispatch
import Foundation

/// Calls back at each SIGHUP, one call after the other. The kernel has the same signal for a terminal that is gone; a server
/// that somebody started there is to end with it.
final class ReloadSignal: @unchecked Sendable {
  // Unchecked: a source may be cancelled from any thread, which its type does not say.
  private let source: any DispatchSourceSignal
  private let work: Task<Void, Never>

  /// Returns when the signal is listened for, and the system has given what that takes.
  ///
  /// - Parameter onHangup: Is called instead where the process had a terminal and has it no longer.
  init(
    onSignal: @escaping @Sendable () async -> Void, onHangup: @escaping @Sendable () async -> Void
  ) {
    let hadTerminal = Self.hasTerminal
    // Several that come while one is being followed are one.
    let (signals, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    work = Task {
      for await _ in signals {
        if hadTerminal, !Self.hasTerminal { await onHangup() } else { await onSignal() }
      }
    }
    let registered = DispatchSemaphore(value: 0)
    signal(SIGHUP, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
    source.setEventHandler { continuation.yield() }
    source.setRegistrationHandler { registered.signal() }
    source.resume()
    registered.wait()
  }

  private static var hasTerminal: Bool {
    let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
    guard terminal >= 0 else { return false }
    close(terminal)
    return true
  }

  func cancel() {
    source.cancel()
    work.cancel()
  }
}
