import ModelFiles

/// OLMo 2 and 3, whose blocks are normalised behind.
struct OLMo2Checkpoint: NamedCheckpoint {
  static let modelTypes = ["olmo2", "olmo3"]
  static let architecture = OLMo2.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let rotary = try configuration.optionalObject("rope_parameters")
    try metadata.readRotary(
      configuration, parameters: rotary?.optionalObject("full_attention"))
    metadata.set(
      "rope.freq_base_swa",
      try rotary?.optionalObject("sliding_attention")?.optionalDouble("rope_theta"))
    if let window = try configuration.optionalInt("sliding_window") {
      metadata.set("attention.sliding_window", window)
      metadata.set(
        "attention.sliding_window_pattern", try configuration.windowedLayers())
    }
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.dense.merging([
        "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
      ]) { $1 })
  }
}
