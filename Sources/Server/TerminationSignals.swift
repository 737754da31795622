import Dispatch
import Foundation

/// Calls back once when the process is asked to end. A second signal ends it at once, for the
/// person who presses Ctrl-C again.
final class TerminationSignals: @unchecked Sendable {
  // Unchecked: a source may be cancelled from any thread, which its type does not say.
  private let sources: [any DispatchSourceSignal]

  init(onSignal: @escaping @Sendable () async -> Void) {
    let once = OnlyOnce()
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
      source.resume()
      return source
    }
  }

  func cancel() {
    for source in sources { source.cancel() }
  }
}
