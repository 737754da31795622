import Kernels
import ModelFiles

/// Rows of numbers that are looked up: read from the mapped file, whatever type it has them in, so that only
/// the rows that are used take memory.
struct EmbeddingTable: @unchecked Sendable {
  // Unchecked: nobody writes where `start` points.

  /// Keeps what `start` points to.
  private let view: TensorView
  /// The first row, on no particular boundary. Held apart from its owner: a token looks up several rows.
  private let start: UnsafeRawPointer
  private let rowBytes: Int
  private let elementType: ElementType
  let rows: Int
  private let width: Int

  /// - Parameter part: Rows are read in parts of so many columns; nil for whole ones.
  init(
    _ view: TensorView, name: String, rows: Int, width: Int, part: Int? = nil
  ) throws(ModelError) {
    guard view.info.shape == [rows, width] else {
      throw .wrongShape(tensor: name, shape: view.info.shape, expected: [rows, width])
    }
    let type = view.info.elementType
    guard (part ?? width).isMultiple(of: type.blockSize) else {
      throw .unreadableTensor(
        name, reason: "rows of \(part ?? width) numbers in blocks of \(type.blockSize) (\(type))")
    }
    rowBytes = width / type.blockSize * type.bytesPerBlock
    guard let start = view.bytes.baseAddress, view.bytes.count / max(rowBytes, 1) >= rows else {
      throw .unreadableTensor(name, reason: "\(view.bytes.count) bytes for \(rows) rows")
    }
    self.view = view
    self.start = start
    self.rows = rows
    self.width = width
    elementType = type
  }

  /// Copies a row as floats. `row` is below `rows`.
  @inline(__always)
  func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
    copyRow(row, columns: 0..<width, into: destination)
  }

  /// Copies a part of a row as floats. `columns` begins and ends at a part's bounds.
  @inline(__always)
  func copyRow(
    _ row: Int, columns: Range<Int>, into destination: UnsafeMutablePointer<Float>
  ) {
    assert((0..<rows).contains(row) && columns.upperBound <= width)
    let first = columns.lowerBound / elementType.blockSize * elementType.bytesPerBlock
    dequantize(
      elementType, start + row * rowBytes + first, count: columns.count, into: destination)
  }
}
