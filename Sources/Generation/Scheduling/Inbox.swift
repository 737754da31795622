import Foundation

/// Where jobs wait for the model's thread, and where that thread sleeps when there are none.
final class Inbox: @unchecked Sendable {
  // Unchecked: all state is behind `condition`.

  /// What the thread does when it has been asked to end.
  enum Ending: Sendable, Equatable {
    /// Finishes what runs and waits; new jobs are refused.
    case finish
    /// Stops everything at once.
    case cancel
  }

  private let condition = NSCondition()
  private let limit: Int
  private var jobs: [Job] = []
  private var ending: Ending?
  private var ended = false
  private var waitersForEnd: [CheckedContinuation<Void, Never>] = []
  private var currentStatistics = SchedulerStatistics()
  /// Jobs that the thread has taken and not begun; they count towards the limit.
  private var waitingInThread = 0
  /// Jobs that are not ready to be handed over yet; they count towards the limit, and the thread
  /// finishes them, too.
  private var announced = 0

  init(limit: Int) { self.limit = limit }

  /// Takes a place for a job that `submitAnnounced` hands over, now or later; gives the reason if it
  /// is refused.
  func announce() -> GenerationError? {
    condition.withLock {
      if let refusal { return refusal }
      announced += 1
      return nil
    }
  }

  /// Hands over a job that was announced. It fails where everything is to stop.
  func submitAnnounced(_ job: Job) {
    let isTaken = condition.withLock {
      announced -= 1
      condition.signal()
      guard ending != .cancel, !ended else { return false }
      jobs.append(job)
      return true
    }
    if !isTaken { job.fail(.shutDown) }
  }

  /// Ends a job that was announced without handing it over.
  func withdrawAnnounced(_ job: Job, _ error: GenerationError) {
    condition.withLock {
      announced -= 1
      condition.signal()
    }
    job.fail(error)
  }

  /// Why no job is taken now. Under the lock.
  private var refusal: GenerationError? {
    guard ending == nil, !ended else { return .shutDown }
    guard jobs.count + announced + waitingInThread < limit else {
      return .queueFull(limit: limit)
    }
    return nil
  }

  /// Takes all jobs; sleeps until there is something to do if `idle`. The end that it gives is what
  /// the thread may act on: `finish` only once no job is announced.
  func take(idle: Bool) -> (jobs: [Job], ending: Ending?) {
    condition.withLock {
      while idle, jobs.isEmpty, dueEnding == nil { condition.wait() }
      defer { jobs.removeAll() }
      // Until the thread says how many of them still wait, all do.
      waitingInThread += jobs.count
      return (jobs, dueEnding)
    }
  }

  private var dueEnding: Ending? { ending == .finish && announced > 0 ? nil : ending }

  /// Wakes the thread, so that it sees a cancelled job.
  func wake() { condition.withLock { condition.signal() } }

  func end(_ how: Ending) {
    condition.withLock {
      if ending != .cancel { ending = how }
      condition.signal()
    }
  }

  func publish(_ statistics: SchedulerStatistics) {
    condition.withLock {
      currentStatistics = statistics
      waitingInThread = statistics.waiting
    }
  }

  var statistics: SchedulerStatistics {
    condition.withLock {
      var statistics = currentStatistics
      statistics.waiting = waitingInThread + jobs.count + announced
      return statistics
    }
  }

  /// Called by the thread as its last act. Jobs that came in between are refused.
  func markEnded() {
    let (left, waiters) = condition.withLock {
      ended = true
      defer {
        jobs.removeAll()
        waitersForEnd.removeAll()
      }
      return (jobs, waitersForEnd)
    }
    left.forEach { $0.fail(.shutDown) }
    waiters.forEach { $0.resume() }
  }

  func waitForEnd() async {
    await withCheckedContinuation { continuation in
      let over = condition.withLock {
        if !ended { waitersForEnd.append(continuation) }
        return ended
      }
      if over { continuation.resume() }
    }
  }
}
