import CKernels

/// One thread of a running body: its place among the others, and the barrier they share.
package struct Worker {
  let pool: OpaquePointer?
  package let index: Int
  package let count: Int

  init(pool: OpaquePointer?, index: Int, count: Int) {
    self.pool = pool
    self.index = index
    self.count = count
  }

  /// The only worker, for work outside a pool.
  package static var alone: Worker { Worker(pool: nil, index: 0, count: 1) }

  /// Waits until every worker has come here. Every worker must come equally often.
  @inline(__always)
  package func barrier() {
    if let pool { tk_pool_barrier(pool, Int32(index)) }
  }

  /// This worker's share of `0..<n`, cut at multiples of `m`.
  @inline(__always)
  package func range(of n: Int, multipleOf m: Int = 1) -> Range<Int> {
    let pieces = (n + m - 1) / m
    let first = pieces * index / count * m
    let last = pieces * (index + 1) / count * m
    return min(first, n)..<min(last, n)
  }
}
