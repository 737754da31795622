/// Why a matrix, buffer or pool could not be made.
package enum KernelError: Error, Equatable, CustomStringConvertible {
  /// A dimension that is not positive, or too large to address.
  case invalidDimension(field: String, value: Int)
  /// `inputs` is no multiple of the type's block.
  case partialBlock(elementType: ElementType, inputs: Int)
  case wrongByteCount(field: String, expected: Int, actual: Int)
  case outOfMemory(bytes: Int)
  /// A folder has no room for a file of so many bytes, or none can be made there.
  case noSpace(folder: String, bytes: Int)
  case threadsUnavailable(count: Int)
  /// An instruction set that has no such kernels, or that this machine lacks.
  case instructionsUnavailable(name: String)

  package var description: String {
    switch self {
    case .invalidDimension(let field, let value): "\(field) is \(value)"
    case .partialBlock(let type, let inputs):
      "inputs is \(inputs), no multiple of \(type)'s block of \(type.blockSize)"
    case .wrongByteCount(let field, let expected, let actual):
      "\(field) has \(actual) bytes, expected \(expected)"
    case .outOfMemory(let bytes): "no memory for \(bytes) bytes"
    case .noSpace(let folder, let bytes): "no room for \(bytes) bytes in \(folder)"
    case .threadsUnavailable(let count): "cannot start \(count) threads"
    case .instructionsUnavailable(let name): "no kernels for \(name) here"
    }
  }
}
