import Kernels
import ModelFiles

/// Rows of floats that are looked up: read from the mapped file where it has float32, so that only
/// the rows that are used take memory.
struct EmbeddingTable: @unchecked Sendable {
  // Unchecked: nobody writes where `start` points.

  /// Keeps what `start` points to.
  private let owner: any Sendable
  /// The first row, on no particular boundary. Held apart from its owner: a token looks up three rows.
  private let start: UnsafeRawPointer
  private let rowBytes: Int
  let rows: Int

  init(_ view: TensorView, name: String, rows: Int, width: Int) throws(ModelError) {
    guard view.info.shape == [rows, width] else {
      throw .wrongShape(tensor: name, shape: view.info.shape, expected: [rows, width])
    }
    self.rows = rows
    rowBytes = width * MemoryLayout<Float>.size
    if view.info.elementType == .f32, let address = view.bytes.baseAddress {
      owner = view
      start = address
      return
    }
    do {
      let values = try dequantize(view.info.elementType, view.bytes, count: rows * width)
      let buffer = try FloatBuffer(rows: rows, width: width)
      values.withUnsafeBufferPointer { values in
        if let base = values.baseAddress {
          buffer.pointer.update(from: base, count: values.count)
        }
      }
      owner = buffer
      start = UnsafeRawPointer(buffer.pointer)
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }

  /// Copies a row. `row` is below `rows`.
  func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
    assert((0..<rows).contains(row))
    UnsafeMutableRawPointer(destination).copyMemory(
      from: start + row * rowBytes, byteCount: rowBytes)
  }
}
