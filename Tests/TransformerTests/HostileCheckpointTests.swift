import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

/// Folders that are wrong: each gives a typed error that names file and field, and none crashes.
@Suite struct HostileCheckpointTests {
  static var values: [Any?] {
    [
      nil, NSNull(), -1, 0, 3, Int.max, 1.5, "gelu", true, [Any](), ["x"], [String: Any](),
      ["rope_type": "yarn", "factor": 1e300, "original_max_position_embeddings": -1],
    ]
  }

  /// No value of any field crashes.
  @Test(arguments: ["gpt-oss", "deepseek3", "llama3"])
  func absurdConfigurations(name: String) throws {
    let copy = try CheckpointCopy(of: name)
    let original = try #require(
      JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
    var refused = 0
    for key in original.keys.sorted() {
      for value in Self.values {
        var changed = original
        changed[key] = value
        try copy.write(JSONSerialization.data(withJSONObject: changed), to: "config.json")
        if try copy.isRefused() { refused += 1 }
      }
    }
    #expect(refused > 50)
  }

  @Test func brokenFiles() throws {
    for broken in ["", "{", "[]", "{\"model_type\": 3}", "{\"model_type\": \"rwkv\"}"] {
      let copy = try CheckpointCopy(of: "gpt-oss")
      try copy.write(Data(broken.utf8), to: "config.json")
      #expect(throws: ModelFileError.self) { try CheckpointFolder(path: copy.path) }
    }
    let copy = try CheckpointCopy(of: "gpt-oss")
    let whole = try copy.read("model.safetensors")
    for length in [0, 7, 100, whole.count - 1] {
      try copy.write(whole.prefix(length), to: "model.safetensors")
      #expect(throws: ModelFileError.self) { try CheckpointFolder(path: copy.path) }
    }
  }

  @Test(arguments: [
    "../llama/model.safetensors", "/etc/passwd", ".hidden", "missing.safetensors", "a\u{0}b",
  ])
  func indexesThatLeaveTheFolder(file: String) throws {
    let copy = try CheckpointCopy(of: "llama")
    let index = ["weight_map": ["lm_head.weight": file]]
    try copy.write(
      JSONSerialization.data(withJSONObject: index), to: "model.safetensors.index.json")
    #expect(throws: ModelFileError.self) { try CheckpointFolder(path: copy.path) }
  }

  /// Tensors of other shapes or names than the configuration says: the header is changed in place.
  @Test(arguments: [
    ("gpt-oss", "\"shape\":[4,64,1,16]", "\"shape\":[4,64,16,1]"),
    ("gpt-oss", "\"shape\":[4,64,1]", "\"shape\":[4,1,64]"),
    ("gpt-oss", "self_attn.sinks", "self_attn.sunks"),
    ("gpt-oss", "down_proj_scales", "down_proj_skales"),
    ("deepseek3", "e_score_correction", "e_store_correction"),
    ("deepseek3", "experts.3.up_proj", "experts.9.up_proj"),
    ("granitemoe", "\"shape\":[4,96,32]", "\"shape\":[96,4,32]"),
    ("mixtral", "experts.1.w3", "experts.7.w3"),
    ("lfm2", "\"shape\":[32,1,3]", "\"shape\":[1,3,32]"),
    ("lfm2", "model.embedding_norm", "model.embedding_nurm"),
    ("lfm2moe", "experts.3.w2", "experts.9.w2"),
    ("glm4moe", "\"shape\":[6,32]", "\"shape\":[32,6]"),
    ("granitehybrid", "\"shape\":[160,1,4]", "\"shape\":[1,4,160]"),
    ("granitehybrid", "mamba.A_log", "mamba.A_lag"),
    ("nemotronh", "mixer.dt_bias", "mixer.dt_bais"),
    ("nemotronh-moe", "experts.3.up_proj", "experts.9.up_proj"),
    ("granitehybrid-dense", "\"shape\":[80,32]", "\"shape\":[32,80]"),
  ])
  func headersThatLie(name: String, original: String, changed: String) throws {
    let copy = try CheckpointCopy(of: name)
    var bytes = try copy.read("model.safetensors")
    let range = try #require(bytes.range(of: Data(original.utf8)))
    bytes.replaceSubrange(range, with: Data(changed.utf8))
    try copy.write(bytes, to: "model.safetensors")
    // V2 has no correction, so that its absence is allowed.
    #expect(try copy.isRefused() || original.hasPrefix("e_score"))
  }

  /// A shape with a zero takes no bytes of the file, whatever its other sizes are.
  @Test(arguments: [
    ("granitemoe", "model.layers.0.self_attn.q_proj.weight", [1 << 60, 0]),
    ("granitemoe", "model.layers.0.self_attn.k_proj.weight", [0, 1 << 60]),
    ("granitemoe", "model.layers.0.block_sparse_moe.input_linear.weight", [4, 1 << 58, 0]),
    ("granitemoe", "model.layers.0.block_sparse_moe.input_linear.weight", [1 << 58, 4, 0]),
    ("mixtral", "model.layers.0.block_sparse_moe.experts.0.w1.weight", [1 << 60, 0]),
    ("gpt-oss-bf16", "model.layers.0.mlp.experts.gate_up_proj", [4, 1 << 58, 0]),
    ("gpt-oss", "model.layers.0.mlp.experts.gate_up_proj_bias", [1 << 60, 0]),
  ])
  func tensorsWithoutData(name: String, tensor: String, shape: [Int]) throws {
    let copy = try CheckpointCopy(of: name)
    let bytes = try copy.read("model.safetensors")
    let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    var header = try #require(
      JSONSerialization.jsonObject(with: bytes.dropFirst(8).prefix(length)) as? [String: Any])
    // The data stay where they are, under another name.
    header["unused"] = try #require(header[tensor] as? [String: Any])
    header[tensor] = ["dtype": "BF16", "shape": shape, "data_offsets": [0, 0]] as [String: Any]
    let changed = try JSONSerialization.data(withJSONObject: header)
    var file = withUnsafeBytes(of: UInt64(changed.count).littleEndian) { Data($0) }
    file += changed + bytes.dropFirst(8 + length)
    try copy.write(file, to: "model.safetensors")
    let error = #expect(throws: (any Error).self) { try copy.load() }
    // Also an error of the file itself, whose sizes would be what is wrong: there is none.
    #expect("\(try #require(error))".contains("\(shape)"))
    _ = try CheckpointFolder(path: copy.path)
  }

  /// Twice a number of heads is taken before the whole configuration is looked at.
  @Test(arguments: ["num_attention_heads", "num_key_value_heads"])
  func headsWithoutEnd(key: String) throws {
    for name in ["llama3", "mixtral", "granitemoe"] {
      let copy = try CheckpointCopy(of: name)
      var configuration = try #require(
        JSONSerialization.jsonObject(with: copy.read("config.json")) as? [String: Any])
      configuration[key] = Int.max
      try copy.write(JSONSerialization.data(withJSONObject: configuration), to: "config.json")
      let error = #expect(throws: ModelFileError.self) { try CheckpointFolder(path: copy.path) }
      #expect(error?.field == key)
    }
  }
}
