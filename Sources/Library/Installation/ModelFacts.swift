import Foundation
import ModelFiles
import Tokenization
import Transformer

/// What a model's files say of themselves, for cards and for people.
package struct ModelFacts: Sendable, Encodable, Equatable {
  package let architecture: String
  package let name: String?
  /// As the file has it, often an SPDX identifier in lower case.
  package let license: String?
  package let totalParameters: Int
  /// Of a mixture of experts, those that one token meets; else all.
  package let activeParameters: Int
  package let contextLength: Int?
  package let layers: Int?
  package let width: Int?
  package let heads: Int?
  package let keyValueHeads: Int?
  /// Experts of a mixture, and those that a token meets.
  package let experts: Int?
  package let activeExperts: Int?
  package let vocabulary: Int?
  package let tokenizer: String?
  package let hasChatTemplate: Bool
  /// Bytes of the tensors of each type, most first.
  package let types: [TypeShare]
  package let fileBytes: Int

  package struct TypeShare: Sendable, Encodable, Equatable {
    package let type: String
    package let tensors: Int
    package let bytes: Int
  }

  /// Reads a GGUF file's header; no weight is touched.
  package init(_ file: GGUFFile) {
    let architecture = file.string("general.architecture") ?? "unknown"
    func int(_ key: String) -> Int? { file.int("\(architecture).\(key)") }
    self.architecture = architecture
    name = file.string("general.name")
    license = file.string("general.license")
    contextLength = int("context_length")
    layers = int("block_count")
    width = int("embedding_length")
    heads = int("attention.head_count")
    keyValueHeads = int("attention.head_count_kv")
    experts = int("expert_count").flatMap { $0 > 0 ? $0 : nil }
    activeExperts = experts == nil ? nil : int("expert_used_count")
    vocabulary = file.array("tokenizer.ggml.tokens")?.count
    tokenizer = file.string("tokenizer.ggml.model")
    hasChatTemplate = file.string("tokenizer.chat_template") != nil
    fileBytes = file.byteCount

    var count = Count(activeShare: Self.share(active: activeExperts, of: experts))
    for tensor in file.tensors.values {
      // Experts lie in one tensor, (experts, …), or in files of old in one each, `ffn_up.3.weight`.
      let isOfExpert =
        tensor.name.contains("_exps.")
        || tensor.name.split(separator: ".").dropLast().last.map { Int($0) != nil } == true
          && tensor.name.contains(".ffn_")
      count.add(
        elements: tensor.elementCount, bytes: tensor.byteCount,
        type: "\(tensor.elementType)".uppercased(), isOfExpert: isOfExpert,
        isLookedUp: tensor.name == "per_layer_token_embd.weight")
    }
    totalParameters = Int(count.total)
    activeParameters = Int(count.active.rounded())
    types = count.shares
  }

  /// Reads the headers of a checkpoint's files, and its tokenizer; no weight is touched.
  package init(_ folder: CheckpointFolder) throws {
    func int(_ key: String) -> Int? { folder.metadata.int("\(folder.architecture).\(key)") }
    architecture = folder.architecture
    name = nil
    license = nil
    contextLength = int("context_length")
    layers = int("block_count")
    width = int("embedding_length")
    heads = int("attention.head_count")
    keyValueHeads = int("attention.head_count_kv")
    experts = int("expert_count").flatMap { $0 > 0 ? $0 : nil }
    activeExperts = experts == nil ? nil : int("expert_used_count")
    vocabulary = try makeTokenizer(checkpoint: folder.path).vocabularyCount
    tokenizer = "tokenizer.json"
    hasChatTemplate = try ChatTemplate(checkpoint: folder.path) != nil

    var count = Count(activeShare: Self.share(active: activeExperts, of: experts))
    var bytes = 0
    for file in try CheckpointFiles.fileNames(in: folder.path) {
      let file = try SafetensorsFile(path: folder.path + "/" + file)
      bytes += file.map.count
      for tensor in file.tensors.values {
        count.add(
          elements: tensor.elementCount, bytes: tensor.byteCount,
          type: "\(tensor.elementType)".uppercased(), isOfExpert: Self.isOfExpert(tensor.name),
          isLookedUp: tensor.name.hasSuffix(".embed_tokens_per_layer.weight"))
      }
      for (name, tensor) in file.rawTensors {
        let bytes = file.bytes(of: tensor).count
        // Of MXFP4's two tensors, one has two numbers a byte and the other their scales.
        count.add(
          elements: name.hasSuffix("_blocks") ? 2 * bytes : 0, bytes: bytes, type: tensor.type,
          isOfExpert: Self.isOfExpert(name))
      }
    }
    fileBytes = bytes
    totalParameters = Int(count.total)
    activeParameters = Int(count.active.rounded())
    types = count.shares
  }

  /// Whether a checkpoint's tensor is met by the tokens of its expert only.
  private static func isOfExpert(_ name: String) -> Bool {
    name.contains(".experts.") || name.contains("block_sparse_moe.input_linear.")
      || name.contains("block_sparse_moe.output_linear.")
  }

  /// Parameters and bytes, counted tensor by tensor.
  private struct Count {
    let activeShare: Double
    var total = 0.0
    var active = 0.0
    private var types: [String: (tensors: Int, bytes: Int)] = [:]

    init(activeShare: Double) { self.activeShare = activeShare }

    /// - Parameter isLookedUp: Of the tensor a token reads one row, and multiplies nothing with it.
    mutating func add(
      elements: Int, bytes: Int, type: String, isOfExpert: Bool, isLookedUp: Bool = false
    ) {
      total += Double(elements)
      active += isLookedUp ? 0 : Double(elements) * (isOfExpert ? activeShare : 1)
      types[type, default: (0, 0)].tensors += 1
      types[type, default: (0, 0)].bytes += bytes
    }

    /// Most bytes first.
    var shares: [TypeShare] {
      types.map { TypeShare(type: $0.key, tensors: $0.value.tensors, bytes: $0.value.bytes) }
        .sorted { ($0.bytes, $1.type) > ($1.bytes, $0.type) }
    }
  }

  private static func share(active: Int?, of experts: Int?) -> Double {
    guard let active, let experts, experts > 0, (1...experts).contains(active) else { return 1 }
    return Double(active) / Double(experts)
  }

  private enum CodingKeys: String, CodingKey {
    case architecture, name, license, layers, width, heads, experts, vocabulary, tokenizer, types
    case totalParameters = "total_parameters"
    case activeParameters = "active_parameters"
    case contextLength = "context_length"
    case keyValueHeads = "key_value_heads"
    case activeExperts = "active_experts"
    case hasChatTemplate = "has_chat_template"
    case fileBytes = "file_bytes"
  }
}
