/// A model in GGUF's form (version 2 or 3, little-endian), in one file or in several parts, over
/// memory maps. Opening it reads and checks the metadata and the tensors' descriptions, and touches no
/// weight.
///
/// ```swift
/// let file = try GGUFFile(path: "model.gguf")
/// let layers = try file.requiredInt("llama.block_count")
/// let embedding = try file.requiredTensor(named: "token_embd.weight")  // (vocabulary, width)
/// ```
package final class GGUFFile: TensorSource {
  /// The file's path; of several parts, the first one's.
  package let path: String
  package let version: UInt32
  /// All key-value pairs of the header; of several parts, the first one's.
  package let metadata: [String: GGUFValue]
  /// The tensors that can be read, by name, of all parts.
  package let tensors: [String: TensorInfo]
  /// Tensors whose type this build does not know, with ggml's number of the type.
  package let unsupportedTensors: [String: UInt32]
  /// At least one.
  private let parts: [GGUFPart]

  /// - Parameter path: The file; of a model in several parts the first, beside which the others are.
  package init(path: String) throws(ModelFileError) {
    let first = try GGUFPart(path: path)
    let parts = try [first] + first.laterParts()
    self.path = path
    self.parts = parts
    version = first.version
    metadata = first.metadata
    // No name is in two parts.
    tensors = parts.dropFirst().reduce(into: first.tensors) { all, part in
      all.merge(part.tensors) { first, _ in first }
    }
    unsupportedTensors = parts.dropFirst().reduce(into: first.unsupportedTensors) { all, part in
      all.merge(part.unsupportedTensors) { first, _ in first }
    }
  }

  /// The size of all parts.
  package var byteCount: Int { parts.reduce(0) { $0 + $1.map.count } }

  package var tensorNames: [String] { Array(tensors.keys) + Array(unsupportedTensors.keys) }

  package func tensor(named name: String) throws(ModelFileError) -> TensorView? {
    for part in parts {
      if let info = part.tensors[name] { return TensorView(info: info, map: part.map) }
      if let type = part.unsupportedTensors[name] {
        throw ModelFileError(
          path: part.map.path, field: "tensor \(name).type",
          problem: .unsupported(value: "ggml type \(type)"))
      }
    }
    return nil
  }

  package func dropPages() { for part in parts { part.map.dropPages() } }
}
