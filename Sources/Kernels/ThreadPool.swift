import CKernels

/// Threads that run one body together ("single program, many threads"), with a barrier inside.
///
/// A whole forward pass is one `run`. The caller's thread is worker 0. Between runs the other
/// threads spin for some tens of microseconds, then sleep. One caller at a time: the scheduler of
/// a model serialises its passes, and two models that share a pool take turns.
package final class ThreadPool: @unchecked Sendable {
  // Unchecked: the pool's own state is in C behind atomics; `run` is for one caller at a time.
  private let pool: OpaquePointer
  package let threadCount: Int

  package init(threadCount: Int) throws(KernelError) {
    guard threadCount >= 1, threadCount <= 1024 else {
      throw .invalidDimension(field: "threads", value: threadCount)
    }
    guard let pool = tk_pool_create(Int32(threadCount)) else {
      throw .threadsUnavailable(count: threadCount)
    }
    self.pool = pool
    self.threadCount = threadCount
  }

  deinit { tk_pool_destroy(pool) }

  /// Runs `body` once on every worker; returns when all have returned.
  package func run(_ body: (Worker) -> Void) {
    withoutActuallyEscaping(body) { escaping in
      var job = Job(pool: pool, count: threadCount, body: escaping)
      withUnsafeMutablePointer(to: &job) { pointer in
        tk_pool_run(
          pool,
          { context, index in
            guard let job = context?.assumingMemoryBound(to: Job.self).pointee else { return }
            job.body(Worker(pool: job.pool, index: Int(index), count: job.count))
          }, pointer)
      }
    }
  }

  private struct Job {
    let pool: OpaquePointer
    let count: Int
    let body: (Worker) -> Void
  }
}
