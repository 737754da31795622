import Foundation
import ModelFiles

/// What a model's file says of itself, for cards and for people.
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
    fileBytes = file.map.count

    var total = 0.0
    var active = 0.0
    var shares: [String: (tensors: Int, bytes: Int)] = [:]
    let activeShare = Self.share(active: activeExperts, of: experts)
    for tensor in file.tensors.values {
      total += Double(tensor.elementCount)
      // Experts lie in one tensor, (experts, …), or in files of old in one each, `ffn_up.3.weight`.
      let isOfExpert =
        tensor.name.contains("_exps.")
        || tensor.name.split(separator: ".").dropLast().last.map { Int($0) != nil } == true
          && tensor.name.contains(".ffn_")
      active += Double(tensor.elementCount) * (isOfExpert ? activeShare : 1)
      let name = "\(tensor.elementType)".uppercased()
      shares[name, default: (0, 0)].tensors += 1
      shares[name, default: (0, 0)].bytes += tensor.byteCount
    }
    totalParameters = Int(total)
    activeParameters = Int(active.rounded())
    types = shares.map { TypeShare(type: $0.key, tensors: $0.value.tensors, bytes: $0.value.bytes) }
      .sorted { ($0.bytes, $1.type) > ($1.bytes, $0.type) }
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
