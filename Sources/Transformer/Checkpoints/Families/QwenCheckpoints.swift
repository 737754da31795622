import ModelFiles

/// Qwen 2 and 2.5.
struct Qwen2Checkpoint: NamedCheckpoint {
  static let modelTypes = ["qwen2"]
  static let architecture = Qwen2.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    metadata = try CheckpointMetadata(qwen: Self.architecture, configuration)
    names = try CheckpointNames(configuration, CheckpointNames.dense)
  }
}

/// Qwen 3, dense.
struct Qwen3Checkpoint: NamedCheckpoint {
  static let modelTypes = ["qwen3"]
  static let architecture = Qwen3.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    metadata = try CheckpointMetadata(qwen: Self.architecture, configuration)
    names = try CheckpointNames(configuration, CheckpointNames.denseWithHeadNorms)
  }
}

extension CheckpointNames {
  private static let headNorms = [
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
  ]
  static let denseWithHeadNorms = dense.merging(headNorms) { $1 }
  /// OLMoE's too, whose norms are of all heads together.
  static let expertsWithHeadNorms = headNorms.merging(["ffn_gate_inp": "mlp.gate"]) { $1 }
}

extension CheckpointMetadata {
  init(
    qwen architecture: String, _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    if try configuration.optionalBool("use_sliding_window") == true {
      throw configuration.unsupported("use_sliding_window")
    }
    try self.init(architecture: architecture, configuration)
    try readRotary(configuration)
  }
}
