import Kernels

/// Where a tensor lies in its file, and what shape and type it has.
package struct TensorInfo: Sendable, Hashable {
  package let name: String
  /// Outermost dimension first, as in PyTorch: a matrix is (rows, columns), and a row's elements
  /// are consecutive in the file.
  package let shape: [Int]
  package let elementType: ElementType
  /// Position of the first byte, from the start of the file.
  package let offset: Int
  /// Size of the data in bytes.
  package let byteCount: Int

  /// Number of elements.
  package var elementCount: Int { shape.reduce(1, *) }

  package init(
    name: String, shape: [Int], elementType: ElementType, offset: Int, byteCount: Int
  ) {
    self.name = name
    self.shape = shape
    self.elementType = elementType
    self.offset = offset
    self.byteCount = byteCount
  }
}
