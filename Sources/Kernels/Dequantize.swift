import CKernels

/// The numbers of a tensor as floats, exactly as ggml's reference has them. For norm weights and
/// other small tensors. `count` must be what `bytes` holds.
package func dequantize(
  _ elementType: ElementType, _ bytes: UnsafeRawBufferPointer, count: Int
) throws(KernelError) -> [Float] {
  let expected = try tensorByteCount(elementType, rows: 1, inputs: count)
  guard bytes.count == expected, let base = bytes.baseAddress else {
    throw .wrongByteCount(field: "tensor", expected: expected, actual: bytes.count)
  }
  return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
    guard let destination = buffer.baseAddress else { return }
    if tk_dequantize(elementType.rawValue, base, Int64(count), destination) {
      initialized = count
    }
  }
}

/// The same of `count` numbers, a whole number of blocks, from `source` on; it need not be aligned.
package func dequantize(
  _ elementType: ElementType, _ source: UnsafeRawPointer, count: Int,
  into destination: UnsafeMutablePointer<Float>
) {
  _ = tk_dequantize(elementType.rawValue, source, Int64(count), destination)
}

/// Bytes of a tensor of `rows` rows, each a whole number of blocks.
func tensorByteCount(
  _ elementType: ElementType, rows: Int, inputs: Int
) throws(KernelError) -> Int {
  guard rows > 0 else { throw .invalidDimension(field: "outputs", value: rows) }
  guard inputs > 0 else { throw .invalidDimension(field: "inputs", value: inputs) }
  guard inputs % elementType.blockSize == 0 else {
    throw .partialBlock(elementType: elementType, inputs: inputs)
  }
  let rowBytes = try checkedByteCount(
    rows: inputs / elementType.blockSize, width: 1, bytesPerElement: elementType.bytesPerBlock)
  return try checkedByteCount(rows: rows, width: rowBytes, bytesPerElement: 1)
}
