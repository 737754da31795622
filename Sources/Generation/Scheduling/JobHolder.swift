import Synchronization

/// Lets a cancellation handler reach a job that is only made later.
final class JobHolder: Sendable {
  private let state = Mutex<(job: Job?, isCancelled: Bool)>((nil, false))

  func set(_ job: Job) {
    let cancelled = state.withLock { state in
      state.job = job
      return state.isCancelled
    }
    if cancelled { job.cancel() }
  }

  /// Whether there is no need to make the job.
  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  func cancel() {
    let job = state.withLock { state in
      state.isCancelled = true
      return state.job
    }
    job?.cancel()
  }
}
