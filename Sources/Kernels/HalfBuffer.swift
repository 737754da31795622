import CKernels

/// Half-precision numbers on a 64-byte boundary: half the memory, and half the way to it, where
/// eleven bits are enough. // (rows, width), row-major
package final class HalfBuffer: @unchecked Sendable {
  // Unchecked: written when it is made, read from then on.
  package let rows: Int
  package let width: Int
  package let pointer: UnsafePointer<UInt16>

  package var byteCount: Int { rows * width * 2 }

  /// The numbers rounded to nearest; nil if one of them is beyond what half precision holds.
  package init?(rounding floats: FloatBuffer) throws(KernelError) {
    let bytes = try checkedByteCount(rows: floats.rows, width: floats.width, bytesPerElement: 2)
    let memory = try allocate(bytes).assumingMemoryBound(to: UInt16.self)
    rows = floats.rows
    width = floats.width
    pointer = UnsafePointer(memory)
    for index in 0..<floats.count {
      let half = Float16(floats.pointer[index])
      guard half.isFinite else { return nil }  // deinit gives the memory back
      memory[index] = half.bitPattern
    }
  }

  deinit { tk_free(UnsafeMutablePointer(mutating: pointer), byteCount) }

  /// The same numbers as floats.
  package func floats() throws(KernelError) -> FloatBuffer {
    let found = try FloatBuffer(rows: rows, width: width)
    for index in 0..<found.count {
      found.pointer[index] = Float(Float16(bitPattern: pointer[index]))
    }
    return found
  }
}
