import Kernels

/// A dense feed-forward block cut into equal slices of its inner width (UoE): each slice is an
/// expert, and all slices together are the dense block. Slices are cut from the tensors as a file
/// has them, before they are packed.
package struct FeedForwardSlices: Sendable, Equatable {
  /// The block's inner width.
  package let innerWidth: Int
  package let count: Int

  package init(innerWidth: Int, count: Int) throws(ModelError) {
    guard innerWidth > 0, count > 0, innerWidth.isMultiple(of: count) else {
      throw .invalidValue(
        key: "slices", value: "\(count)", expected: "a divisor of the inner width \(innerWidth)")
    }
    self.innerWidth = innerWidth
    self.count = count
  }

  /// Each slice's part of the inner width, in order.
  package var ranges: [Range<Int>] {
    let width = innerWidth / count
    return (0..<count).map { $0 * width..<($0 + 1) * width }
  }

  /// A slice of the gate's or the up matrix: some of its rows, where they lie.
  /// // tensor (innerWidth, inputs)
  package func rows(
    of tensor: UnsafeRawBufferPointer, elementType: ElementType, inputs: Int, slice: Int
  ) throws(ModelError) -> UnsafeRawBufferPointer {
    let range = try range(slice)
    let rowBytes = try rowBytes(elementType, columns: inputs)
    try check(tensor, bytes: innerWidth.multipliedReportingOverflow(by: rowBytes))
    return UnsafeRawBufferPointer(
      rebasing: tensor[range.lowerBound * rowBytes..<range.upperBound * rowBytes])
  }

  /// A slice of the down matrix: some of its columns, copied. Slices must begin at the blocks of
  /// a quantised type. // tensor (outputs, innerWidth)
  package func columns(
    of tensor: UnsafeRawBufferPointer, elementType: ElementType, outputs: Int, slice: Int
  ) throws(ModelError) -> [UInt8] {
    let range = try range(slice)
    guard range.count.isMultiple(of: elementType.blockSize) else {
      throw .invalidValue(
        key: "slices", value: "\(count)",
        expected: "a width that blocks of \(elementType.blockSize) divide, not \(range.count)")
    }
    guard outputs > 0 else {
      throw .invalidValue(key: "outputs", value: "\(outputs)", expected: "1 or more")
    }
    let rowBytes = try rowBytes(elementType, columns: innerWidth)
    try check(tensor, bytes: outputs.multipliedReportingOverflow(by: rowBytes))
    let first = range.lowerBound / elementType.blockSize * elementType.bytesPerBlock
    let bytes = range.count / elementType.blockSize * elementType.bytesPerBlock
    var copy: [UInt8] = []
    copy.reserveCapacity(outputs * bytes)
    for output in 0..<outputs {
      let start = output * rowBytes + first
      copy.append(contentsOf: tensor[start..<start + bytes])
    }
    return copy
  }

  private func range(_ slice: Int) throws(ModelError) -> Range<Int> {
    guard (0..<count).contains(slice) else {
      throw .invalidValue(key: "slice", value: "\(slice)", expected: "0 to \(count - 1)")
    }
    let width = innerWidth / count
    return slice * width..<(slice + 1) * width
  }

  private func rowBytes(_ type: ElementType, columns: Int) throws(ModelError) -> Int {
    let (bytes, overflow) = (columns / type.blockSize).multipliedReportingOverflow(
      by: type.bytesPerBlock)
    guard columns > 0, columns.isMultiple(of: type.blockSize), !overflow else {
      throw .invalidValue(
        key: "columns", value: "\(columns)", expected: "a multiple of \(type.blockSize)")
    }
    return bytes
  }

  private func check(
    _ tensor: UnsafeRawBufferPointer, bytes: (partialValue: Int, overflow: Bool)
  ) throws(ModelError) {
    guard !bytes.overflow, tensor.count == bytes.partialValue else {
      throw .unreadableTensor(
        "feed-forward", reason: "it has \(tensor.count) bytes, expected \(bytes.partialValue)")
    }
  }
}
