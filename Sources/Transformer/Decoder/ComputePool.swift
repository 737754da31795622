import Foundation
import Kernels

/// The threads that models compute on. Several models share them: passes take turns, in the order
/// in which they were asked for.
package final class ComputePool: @unchecked Sendable {
  // Unchecked: the tickets are behind `condition`, and the threads run one pass at a time.
  private let threads: ThreadPool
  private let condition = NSCondition()
  private var nextTicket = 0
  private var serving = 0

  package init(threadCount: Int) throws(ModelError) {
    do {
      threads = try ThreadPool(threadCount: threadCount)
    } catch {
      throw .invalidValue(key: "threads", value: "\(threadCount)", expected: "\(error)")
    }
  }

  package var threadCount: Int { threads.threadCount }

  /// Runs `body` on every thread, once it is this caller's turn.
  package func run(_ body: (Worker) -> Void) {
    withTurn { threads in threads.run(body) }
  }

  /// Runs `body` on every thread if nobody uses or waits for them; false where somebody does.
  package func runIfFree(_ body: (Worker) -> Void) -> Bool {
    condition.lock()
    guard serving == nextTicket else {
      condition.unlock()
      return false
    }
    nextTicket += 1
    condition.unlock()
    defer { endTurn() }
    threads.run(body)
    return true
  }

  private func endTurn() {
    condition.lock()
    serving += 1
    condition.broadcast()
    condition.unlock()
  }

  /// Gives the threads to `body`, once it is this caller's turn.
  package func withTurn<Result, Failure: Error>(
    _ body: (ThreadPool) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    condition.lock()
    let ticket = nextTicket
    nextTicket += 1
    while serving != ticket { condition.wait() }
    condition.unlock()
    defer { endTurn() }
    return try body(threads)
  }
}
