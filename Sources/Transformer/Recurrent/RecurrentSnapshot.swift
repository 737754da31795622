import Kernels

/// A copy of what the recurrent layers kept of a sequence at some position, from which another that begins with the
/// same tokens can go on. Never written to; it takes its bytes of the pool's limit for as long as somebody has it.
package final class RecurrentSnapshot: Sendable {
  let state: RecurrentState
  private let pool: PagePool

  /// Tokens that the state has seen.
  package var count: Int { state.count }
  var byteCount: Int { pool.bytesPerSequence }

  init(_ state: RecurrentState, pool: PagePool) throws(ModelError) {
    try pool.charge(pool.bytesPerSequence)
    do {
      self.state = try RecurrentState(copying: state)
    } catch {
      pool.refund(pool.bytesPerSequence)
      throw .outOfMemory(bytes: pool.bytesPerSequence)
    }
    self.pool = pool
  }

  deinit { pool.refund(pool.bytesPerSequence) }
}
