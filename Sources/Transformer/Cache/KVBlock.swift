import Kernels

/// The key-value pages of all layers (`BlockLayout`) for the same `KVLayout.positions` positions.
///
/// Its references are its users: a block that several sequences hold is shared, and the last to
/// let go gives its memory back to the pool.
package final class KVBlock: @unchecked Sendable {
  // Unchecked: the memory is written only by the thread that runs the model.

  /// The pages, layer after layer.
  let base: UnsafeMutableRawPointer
  private let pool: PagePool

  init(base: UnsafeMutableRawPointer, pool: PagePool) {
    self.base = base
    self.pool = pool
  }

  var byteCount: Int { pool.bytesPerBlock }

  deinit { pool.reclaim(base) }
}
