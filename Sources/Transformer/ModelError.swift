/// Why a model could not be built from its file, or could not run what was asked of it.
///
/// Every case names the tensor or key that is at fault, so that the message alone is enough to
/// find the broken file.
package enum ModelError: Error, Equatable, Sendable {
  /// No family in the registry goes by this `general.architecture`.
  case unknownArchitecture(String, known: [String])
  /// A key of the model's metadata is missing.
  case missingKey(String)
  /// A key has a value that no model of this family can have.
  case invalidValue(key: String, value: String, expected: String)
  /// A tensor is missing.
  case missingTensor(String)
  /// A tensor has another shape than the configuration implies; both outermost dimension first.
  case wrongShape(tensor: String, shape: [Int], expected: [Int])
  /// A tensor's contents can't be read.
  case unreadableTensor(String, reason: String)
  /// The model is of a kind that this build does not run.
  case unsupported(key: String, value: String)
  /// A token id lies outside the model's vocabulary.
  case tokenOutOfRange(token: Int32, vocabularySize: Int)
  /// A sequence would grow longer than the model can attend to.
  case contextExceeded(tokens: Int, contextLength: Int)
  /// A batch holds more rows than the model's buffers do.
  case batchTooLarge(rows: Int, limit: Int)
  /// A batch holds a sequence twice, an empty segment, or no segment at all.
  case malformedBatch(reason: String)
  /// The page pool's byte limit leaves no room for another page.
  case keyValueMemoryExhausted(limitBytes: Int)
  /// The system gave no memory.
  case outOfMemory(bytes: Int)
}

extension ModelError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unknownArchitecture(let name, let known):
      "general.architecture is \"\(name)\"; known: \(known.joined(separator: ", "))"
    case .missingKey(let key):
      "the model's metadata lack \"\(key)\""
    case .invalidValue(let key, let value, let expected):
      "\"\(key)\" is \(value); expected \(expected)"
    case .missingTensor(let name):
      "the model file has no tensor \"\(name)\""
    case .wrongShape(let tensor, let shape, let expected):
      "tensor \"\(tensor)\" has shape \(shape); expected \(expected)"
    case .unreadableTensor(let name, let reason):
      "tensor \"\(name)\" can't be read: \(reason)"
    case .unsupported(let key, let value):
      "\"\(key)\" is \(value), which is not supported"
    case .tokenOutOfRange(let token, let vocabularySize):
      "token \(token) is outside the vocabulary of \(vocabularySize)"
    case .contextExceeded(let tokens, let contextLength):
      "\(tokens) tokens do not fit into a context of \(contextLength)"
    case .batchTooLarge(let rows, let limit):
      "a batch of \(rows) rows exceeds the limit of \(limit)"
    case .malformedBatch(let reason):
      "malformed batch: \(reason)"
    case .keyValueMemoryExhausted(let limitBytes):
      "the key-value cache's limit of \(limitBytes) bytes is used up"
    case .outOfMemory(let bytes):
      "no memory for \(bytes) bytes"
    }
  }
}
