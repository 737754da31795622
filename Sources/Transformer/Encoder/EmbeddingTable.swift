import Kernels
import ModelFiles

/// Rows of floats that are looked up: read from the mapped file where it has float32, so that only
/// the rows that are used take memory.
struct EmbeddingTable: Sendable {
  private enum Storage: Sendable {
    case mapped(TensorView)
    case copied(FloatBuffer)
  }

  private let storage: Storage
  private let width: Int
  let rows: Int

  init(_ view: TensorView, name: String, rows: Int, width: Int) throws(ModelError) {
    guard view.info.shape == [rows, width] else {
      throw .wrongShape(tensor: name, shape: view.info.shape, expected: [rows, width])
    }
    self.width = width
    self.rows = rows
    if view.info.elementType == .f32 {
      storage = .mapped(view)
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
      storage = .copied(buffer)
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }

  /// Copies a row. `row` is below `rows`.
  func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
    switch storage {
    case .mapped(let view):
      // Safetensors promises no alignment, so the bytes are copied.
      let bytes = width * MemoryLayout<Float>.size
      UnsafeMutableRawBufferPointer(start: destination, count: bytes).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: view.bytes[row * bytes..<(row + 1) * bytes]))
    case .copied(let buffer):
      destination.update(from: buffer.row(row), count: width)
    }
  }
}
