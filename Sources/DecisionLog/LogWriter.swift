import Foundation
import GRDB

/// The queue of entries and the thread that writes them, a batch a transaction.
///
/// All mutable state is guarded by `condition`; the connection pool is replaced only by the
/// writer's thread, and read by others under the lock.
final class LogWriter: @unchecked Sendable {
  private let options: DecisionLog.Options
  private let condition = NSCondition()

  private var queue: [LogEntry] = []
  private var queuedBytes = 0
  /// Entries that the writer has taken and not yet written.
  private var inFlight = 0
  private var inFlightBytes = 0
  private var takenSequence: UInt64 = 0
  private var doneSequence: UInt64 = 0
  private var waiters: [Waiter] = []
  /// Attempts to write that were begun.
  private var attempts: UInt64 = 0
  private var closeWaiters: [CheckedContinuation<DecisionLogError?, Never>] = []
  private var oldestWait: Date?
  private var urgent = false
  private var closeDeadline: Date?
  private var ended = false
  private var endError: DecisionLogError?
  private var counters = DecisionLog.Counters()
  private var failure: DecisionLogError?
  private var pool: DatabasePool?

  /// A caller of `flush`.
  private struct Waiter {
    /// The last entry that it waits for.
    var sequence: UInt64
    /// The attempt that was the last when it came: only a later one's failure is its own.
    var attempt: UInt64
    var continuation: CheckedContinuation<DecisionLogError?, Never>
  }

  init(_ options: DecisionLog.Options) {
    self.options = options
    do {
      pool = try LogDatabase.connect(
        path: options.path, busyTimeoutSeconds: options.busyTimeoutSeconds)
    } catch {
      failure = error
      counters.failures += 1
    }
    let thread = Thread { [self] in run() }
    thread.name = "decision-log"
    thread.start()
  }

  // MARK: - For any thread

  /// Takes an entry; never blocks on the disk.
  func append(_ entry: LogEntry) throws(DecisionLogError) {
    let bytes = entry.byteCount
    condition.lock()
    defer { condition.unlock() }
    guard closeDeadline == nil, !ended else {
      counters.refused += 1
      throw .closed
    }
    let entries = queue.count + inFlight
    guard entries < options.maximumEntries,
      queuedBytes + inFlightBytes + bytes <= options.maximumBytes
    else {
      counters.refused += 1
      throw .queueFull(entries: entries)
    }
    queue.append(entry)
    queuedBytes += bytes
    counters.accepted += 1
    takenSequence += 1
    if oldestWait == nil { oldestWait = Date() }
    if queue.count == 1 || queue.count == options.batchEntries { condition.signal() }
  }

  /// Returns when all that was taken before is written, or with the error that stands in the way.
  func flush() async -> DecisionLogError? {
    await withCheckedContinuation { addWaiter($0) }
  }

  func close(timeoutSeconds: Double) async -> DecisionLogError? {
    await withCheckedContinuation { addCloseWaiter($0, timeoutSeconds) }
  }

  /// Ends without anyone waiting; what is queued is still written.
  func abandon() { beginClosing(timeoutSeconds: 5) }

  func snapshot() -> (counters: DecisionLog.Counters, failure: DecisionLogError?) {
    condition.lock()
    defer { condition.unlock() }
    var counters = counters
    counters.waiting = queue.count + inFlight
    return (counters, failure)
  }

  func reader() throws(DecisionLogError) -> DatabasePool {
    condition.lock()
    defer { condition.unlock() }
    if let pool, !ended { return pool }
    throw failure ?? .closed
  }

  private func addWaiter(_ continuation: CheckedContinuation<DecisionLogError?, Never>) {
    condition.lock()
    if ended {
      let error = endError
      condition.unlock()
      continuation.resume(returning: error)
    } else if doneSequence >= takenSequence {
      condition.unlock()
      continuation.resume(returning: nil)
    } else {
      waiters.append(
        Waiter(sequence: takenSequence, attempt: attempts, continuation: continuation))
      urgent = true
      condition.signal()
      condition.unlock()
    }
  }

  private func addCloseWaiter(
    _ continuation: CheckedContinuation<DecisionLogError?, Never>, _ timeoutSeconds: Double
  ) {
    condition.lock()
    if ended {
      let error = endError
      condition.unlock()
      continuation.resume(returning: error)
      return
    }
    closeWaiters.append(continuation)
    condition.unlock()
    beginClosing(timeoutSeconds: timeoutSeconds)
  }

  private func beginClosing(timeoutSeconds: Double) {
    condition.lock()
    if closeDeadline == nil { closeDeadline = Date().addingTimeInterval(max(0, timeoutSeconds)) }
    condition.signal()
    condition.unlock()
  }

  // MARK: - The writer's thread

  private func run() {
    while let batch = takeBatch() {
      var pause = 0.1
      while true {
        do {
          try write(batch)
          finished(batch)
          break
        } catch {
          failed(error)
          if pastDeadline() {
            giveUp(error)
            return
          }
          sleep(pause)
          pause = min(5, pause * 2)
        }
      }
    }
    end(nil)
  }

  /// Waits for work. Nil once closing and empty.
  private func takeBatch() -> [LogEntry]? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if queue.isEmpty {
        if closeDeadline != nil { return nil }
        urgent = false
        condition.wait()
        continue
      }
      let due = (oldestWait ?? Date()).addingTimeInterval(options.batchSeconds)
      if urgent || closeDeadline != nil || queue.count >= options.batchEntries || due <= Date() {
        break
      }
      _ = condition.wait(until: due)
    }
    let batch = Array(queue.prefix(options.batchEntries))
    queue.removeFirst(batch.count)
    let bytes = batch.reduce(0) { $0 + $1.byteCount }
    queuedBytes -= bytes
    inFlight = batch.count
    inFlightBytes = bytes
    oldestWait = queue.isEmpty ? nil : Date()
    return batch
  }

  private func write(_ batch: [LogEntry]) throws(DecisionLogError) {
    let pool = try openedPool()
    do {
      try pool.write { db in
        for entry in batch { try entry.write(to: db) }
      }
      return
    } catch {
      let error = DecisionLogError(error, path: options.path)
      guard !error.isTransient else { throw error }
    }
    // One entry is to blame: the others are written each in a savepoint of one transaction.
    var rejected: [DecisionLogError] = []
    do {
      rejected = try pool.write { db in
        var rejected: [DecisionLogError] = []
        for entry in batch {
          do {
            try db.inSavepoint {
              try entry.write(to: db)
              return .commit
            }
          } catch {
            let error = DecisionLogError(error, path: options.path)
            guard !error.isTransient else { throw error }
            rejected.append(error)
          }
        }
        return rejected
      }
    } catch {
      throw DecisionLogError(error, path: options.path)
    }
    noteRejected(rejected)
  }

  private func openedPool() throws(DecisionLogError) -> DatabasePool {
    condition.lock()
    attempts += 1
    let known = pool
    condition.unlock()
    if let known { return known }
    let opened = try LogDatabase.connect(
      path: options.path, busyTimeoutSeconds: options.busyTimeoutSeconds)
    condition.lock()
    pool = opened
    condition.unlock()
    return opened
  }

  private func noteRejected(_ errors: [DecisionLogError]) {
    condition.lock()
    counters.rejected += errors.count
    counters.lastRejection = errors.last?.description ?? counters.lastRejection
    condition.unlock()
  }

  private func finished(_ batch: [LogEntry]) {
    condition.lock()
    doneSequence += UInt64(batch.count)
    inFlight = 0
    inFlightBytes = 0
    counters.batches += 1
    counters.written += batch.count
    failure = nil
    let ready = waiters.filter { $0.sequence <= doneSequence }
    waiters.removeAll { $0.sequence <= doneSequence }
    urgent = !waiters.isEmpty
    condition.unlock()
    for waiter in ready { waiter.continuation.resume(returning: nil) }
  }

  private func failed(_ error: DecisionLogError) {
    condition.lock()
    failure = error
    counters.failures += 1
    if error.needsReopening { pool = nil }
    let told = waiters.filter { $0.attempt < attempts }
    waiters.removeAll { $0.attempt < attempts }
    urgent = !waiters.isEmpty
    condition.unlock()
    for waiter in told { waiter.continuation.resume(returning: error) }
  }

  private func pastDeadline() -> Bool {
    condition.lock()
    defer { condition.unlock() }
    return closeDeadline.map { $0 <= Date() } ?? false
  }

  /// Until the time is up, or someone wants to know at once.
  private func sleep(_ seconds: Double) {
    let wake = Date().addingTimeInterval(seconds)
    condition.lock()
    defer { condition.unlock() }
    while !urgent, Date() < wake {
      let until = closeDeadline.map { min($0, wake) } ?? wake
      if !condition.wait(until: until) { return }
      if closeDeadline != nil { return }
    }
  }

  private func giveUp(_ error: DecisionLogError) {
    condition.lock()
    let lost = queue.count + inFlight
    counters.lost += lost
    queue = []
    inFlight = 0
    condition.unlock()
    end(.notWritten(entries: lost, reason: error.description))
  }

  private func end(_ error: DecisionLogError?) {
    condition.lock()
    let closing = pool
    pool = nil
    condition.unlock()
    // Copies the write-ahead log into the file, so that the file alone is whole. The pool closes its
    // read-only connections last, and those could not. What fails here is done at the next opening.
    _ = try? closing?.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
    try? closing?.close()
    condition.lock()
    ended = true
    endError = error
    let told = waiters.map(\.continuation) + closeWaiters
    waiters = []
    closeWaiters = []
    condition.unlock()
    for continuation in told { continuation.resume(returning: error) }
  }
}
