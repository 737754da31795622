import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Files of mixtures of experts that are wrong: each gives an error that names the key or tensor,
/// and none crashes.
@Suite struct HostileMixtureTests {
  private typealias ChangedMetadata = HostileModelTests.ChangedMetadata

  private func load(
    _ name: String, changes: [String: GGUFValue?] = [:], tensors: (any TensorSource)? = nil
  ) throws -> Decoder {
    let file = try GGUFFile(path: Fixture.path("\(name).gguf"))
    let architecture = file.string("general.architecture") ?? ""
    var prefixed: [String: GGUFValue?] = [:]
    for (key, value) in changes { prefixed["\(architecture).\(key)"] = value }
    return try Decoder(
      architecture: architecture, metadata: ChangedMetadata(file: file, changes: prefixed),
      tensors: tensors ?? file, pool: #require(Fixture.pool),
      options: DecoderOptions(precision: .float))
  }

  static let keys = [
    "expert_count", "expert_used_count", "expert_feed_forward_length",
    "expert_shared_feed_forward_length", "feed_forward_length", "expert_weights_scale",
    "expert_weights_norm", "expert_gating_func", "embedding_length", "block_count",
    "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.scale",
    "embedding_scale", "residual_scale", "logit_scale",
  ]

  /// No value of any key crashes; what loads, runs.
  @Test(arguments: MixtureModelTests.names, keys)
  func absurdValues(name: String, key: String) throws {
    for value in HostileModelTests.values {
      do {
        let decoder = try load(name, changes: [key: value])
        _ = try decoder.greedy([1], count: 2)
      } catch let error as ModelError {
        #expect(!"\(error)".isEmpty)
      }
    }
  }

  @Test(arguments: [
    ("tiny-mixtral", "expert_used_count", GGUFValue.unsigned(5), "llama.expert_used_count"),
    ("tiny-mixtral", "expert_used_count", .unsigned(0), "llama.expert_used_count"),
    ("tiny-olmoe", "expert_count", .unsigned(0), "olmoe.expert_count"),
    ("tiny-olmoe", "expert_count", .unsigned(1 << 40), "olmoe.expert_count"),
    ("tiny-olmoe", "expert_count", .unsigned(9), "blk.0.ffn_gate_inp.weight"),
    ("tiny-qwen3moe", "expert_feed_forward_length", .unsigned(24), "blk.0.ffn_gate_exps.weight"),
    ("tiny-qwen3moe", "expert_feed_forward_length", .unsigned(20), "expert_feed_forward_length"),
    ("tiny-qwen2moe", "expert_shared_feed_forward_length", .unsigned(48), "ffn_gate_shexp.weight"),
    ("tiny-qwen2moe", "expert_gating_func", .unsigned(2), "qwen2moe.expert_gating_func"),
    ("tiny-granitemoe", "logit_scale", .float(0), "granitemoe.logit_scale"),
  ])
  func errorsNameTheCulprit(
    name: String, key: String, value: GGUFValue, culprit: String
  ) throws {
    let error = try #require(throws: ModelError.self) { try load(name, changes: [key: value]) }
    #expect("\(error)".contains(culprit))
  }

  @Test(arguments: [
    ("tiny-mixtral", "expert_used_count"), ("tiny-olmoe", "expert_count"),
    ("tiny-granitemoe", "logit_scale"),
  ])
  func missingKeysAreNamed(name: String, key: String) throws {
    let error = try #require(throws: ModelError.self) {
      try load(name, changes: [key: GGUFValue?.none])
    }
    #expect("\(error)".contains(key))
  }

  @Test(arguments: [
    ("tiny-mixtral", "blk.0.ffn_gate_inp.weight"), ("tiny-mixtral", "blk.1.ffn_up_exps.weight"),
    ("tiny-olmoe", "blk.1.attn_k_norm.weight"), ("tiny-qwen2moe", "blk.1.ffn_down_shexp.weight"),
    ("tiny-qwen3moe", "blk.0.attn_q_norm.weight"),
    ("tiny-granitemoeshared", "blk.0.ffn_up_shexp.weight"),
  ])
  func missingTensorsAreNamed(name: String, tensor: String) throws {
    let file = try GGUFFile(path: Fixture.path("\(name).gguf"))
    #expect(throws: ModelError.missingTensor(tensor)) {
      try load(name, tensors: HostileModelTests.FewerTensors(file: file, missing: tensor))
    }
  }

  /// Gates that score nothing but NaN choose some experts all the same.
  @Test func gatesOfNothingButNaN() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(
      "nan-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data(repeating: 0xff, count: 4 * 4 * 32).write(to: path)
    let file = try GGUFFile(path: Fixture.path("tiny-mixtral.gguf"))
    let source = ReplacedTensor(
      file: file, name: "blk.0.ffn_gate_inp.weight", map: try MemoryMap(path: path.path))
    let decoder = try load("tiny-mixtral", tensors: source)
    _ = try decoder.greedy([1, 2, 3], count: 3)
    #expect(decoder.gateStatistics(segment: 0)?.maximumActive == 2)
  }

  /// A file's tensors, one of them with another file's bytes.
  private struct ReplacedTensor: TensorSource {
    let file: GGUFFile
    let name: String
    let map: MemoryMap
    var path: String { file.path }
    var tensorNames: [String] { file.tensorNames }
    func dropPages() {}
    func tensor(named name: String) throws(ModelFileError) -> TensorView? {
      guard name == self.name, let info = try file.tensor(named: name)?.info else {
        return try file.tensor(named: name)
      }
      return TensorView(
        info: TensorInfo(
          name: name, shape: info.shape, elementType: info.elementType, offset: 0,
          byteCount: map.count),
        map: map)
    }
  }
}
