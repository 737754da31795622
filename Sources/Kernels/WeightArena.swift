import CKernels

/// One piece of memory for the weights of several matrices: large enough for huge pages, which spare a
/// product that streams through its weights a look-up every 4 KiB.
package final class WeightArena: @unchecked Sendable {
  // Unchecked: matrices are made one after the other.
  private let memory: UnsafeMutableRawPointer
  private let byteCount: Int
  private var used = 0

  /// - Parameter sizes: Of the matrices, in bytes.
  package init(sizes: [Int]) throws(KernelError) {
    var total = 0
    for size in sizes {
      guard size > 0, size < Int.max / 64 - total else {
        throw .invalidDimension(field: "bytes", value: size)
      }
      total += Self.padded(size)
    }
    guard total > 0 else { throw .invalidDimension(field: "matrices", value: 0) }
    byteCount = total
    memory = try allocate(total)
  }

  deinit { tk_free(memory, byteCount) }

  private static func padded(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

  /// The next matrix's memory, which lives as long as this does.
  func reserve(_ bytes: Int) throws(KernelError) -> UnsafeMutableRawPointer {
    guard bytes <= byteCount - used else { throw .outOfMemory(bytes: bytes) }
    defer { used += Self.padded(bytes) }
    return memory + used
  }
}
