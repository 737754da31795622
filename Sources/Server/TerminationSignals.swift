import Dispatch
import Foundation

/// Calls back once when the process is asked to end. A second signal ends it at once, for the
/// person who presses Ctrl-C again.
final class TerminationSignals: @unchecked Sendable {
  // Unchecked: a source may be cancelled from any thread, which its type does not say.
  private let sources: [any DispatchSourceSignal]

  /// Returns when signals are listened for, and the system has given what that takes.
  init(onSignal: @escaping @Sendable () async -> Void) {
    let once = OnlyOnce()
    let registered = DispatchSemaphore(value: 0)
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if once.isFirst() {
          Task { await onSignal() }
        } else {
          exit(128 + number)
        }
      }
      source.setRegistrationHandler { registered.signal() }
      source.resume()
      return source
    }
    for _ in sources { registered.wait() }
  }

  func cancel() {
    for source in sources { source.cancel() }
  }
}
