import CKernels

/// Floats on a 64-byte boundary, zero at first, allocated once. // (rows, width), row-major
package final class FloatBuffer: @unchecked Sendable {
  // Unchecked: whoever runs a pass decides which worker writes where.
  package let rows: Int
  package let width: Int
  package let pointer: UnsafeMutablePointer<Float>

  package var count: Int { rows * width }
  package var byteCount: Int { count * 4 }

  package init(rows: Int, width: Int) throws(KernelError) {
    self.rows = rows
    self.width = width
    let bytes = try checkedByteCount(rows: rows, width: width, bytesPerElement: 4)
    pointer = try allocate(bytes).assumingMemoryBound(to: Float.self)
  }

  deinit { tk_free(pointer, byteCount) }

  @inline(__always)
  package func row(_ index: Int) -> UnsafeMutablePointer<Float> {
    assert(index >= 0 && index < rows)
    return pointer + index * width
  }

  package subscript(row: Int, column: Int) -> Float {
    get { self.row(row)[column] }
    set { self.row(row)[column] = newValue }
  }
}

func checkedByteCount(rows: Int, width: Int, bytesPerElement: Int) throws(KernelError) -> Int {
  guard rows > 0 else { throw .invalidDimension(field: "rows", value: rows) }
  guard width > 0 else { throw .invalidDimension(field: "width", value: width) }
  let (elements, overflow) = rows.multipliedReportingOverflow(by: width)
  guard !overflow, elements < Int.max / 64 / bytesPerElement else {
    throw .invalidDimension(field: "rows * width", value: overflow ? Int.max : elements)
  }
  return elements * bytesPerElement
}

func allocate(_ bytes: Int) throws(KernelError) -> UnsafeMutableRawPointer {
  guard let memory = tk_allocate(bytes) else { throw .outOfMemory(bytes: bytes) }
  return memory
}
