/// Why an adapter, or a mixture of adapters, could not be used: which file, which part of it, and
/// what is wrong there.
package enum AdapterError: Error, Equatable, Sendable {
  /// A file is missing, or is not of its format.
  case unreadable(path: String, reason: String)
  /// A key of the configuration has a value that no adapter can have.
  case invalidValue(path: String, key: String, value: String, expected: String)
  /// The configuration asks for what this build does not do.
  case unsupported(path: String, key: String, value: String)
  /// A tensor belongs to no linear map of the base.
  case unknownModule(path: String, tensor: String)
  /// One of a pair of matrices is there and the other is not.
  case missingTensor(path: String, tensor: String)
  /// A tensor has another shape than the base and the configuration imply.
  case wrongShape(path: String, tensor: String, shape: [Int], expected: [Int])
  /// A tensor holds a NaN or an infinity.
  case notFinite(path: String, tensor: String)
  /// The system gave no memory.
  case outOfMemory(path: String)
}

extension AdapterError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .invalidValue(let path, let key, let value, let expected):
      "\(path): \"\(key)\" is \(value); expected \(expected)"
    case .unsupported(let path, let key, let value):
      "\(path): \"\(key)\" is \(value), which is not supported"
    case .unknownModule(let path, let tensor):
      "\(path): tensor \"\(tensor)\" belongs to no linear map of the base that can be adapted"
    case .missingTensor(let path, let tensor):
      "\(path): tensor \"\(tensor)\" is missing"
    case .wrongShape(let path, let tensor, let shape, let expected):
      "\(path): tensor \"\(tensor)\" has shape \(shape); expected \(expected)"
    case .notFinite(let path, let tensor):
      "\(path): tensor \"\(tensor)\" holds a number that is not finite"
    case .outOfMemory(let path):
      "\(path): no memory"
    }
  }
}
