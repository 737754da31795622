import ModelFiles

/// Gemma 3, text only. GGUF files hold norm weights with the 1 that the model adds to them.
struct Gemma3Checkpoint: CheckpointFamily {
  static let modelTypes = ["gemma3_text"]
  static let architecture = Gemma3.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require(
      "hidden_activation", among: ["gelu_pytorch_tanh"], standard: "gelu_pytorch_tanh")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let headDim = try configuration.optionalInt("head_dim") ?? 256
    metadata.set("attention.key_length", headDim)
    metadata.set("attention.value_length", headDim)
    if let scale = try configuration.optionalDouble("query_pre_attn_scalar"),
      scale != Double(headDim)
    {
      throw configuration.unsupported("query_pre_attn_scalar")
    }
    for key in ["final_logit_softcapping", "attn_logit_softcapping"]
    where try configuration.optionalDouble(key) != nil {
      throw configuration.unsupported(key)
    }
    if try configuration.optionalBool("use_bidirectional_attention") == true {
      throw configuration.unsupported("use_bidirectional_attention")
    }
    metadata.set("attention.sliding_window", try configuration.int("sliding_window"))
    metadata.set("attention.sliding_window_pattern", try Self.pattern(configuration))
    let rotary = try configuration.optionalObject("rope_parameters")
    try metadata.readRotary(
      configuration, parameters: rotary?.optionalObject("full_attention"),
      standardBase: 1_000_000)
    var localBase = try rotary?.optionalObject("sliding_attention")?.optionalDouble("rope_theta")
    if localBase == nil {
      localBase = try configuration.optionalDouble("rope_local_base_freq")
    }
    metadata.set("rope.freq_base_swa", localBase)
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.dense.merging([
        "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
      ]) { $1 })
  }

  /// Every so many layers one sees everything; nil where the configuration does not say.
  private static func pattern(
    _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) -> Int? {
    guard configuration.contains("layer_types") else {
      let pattern = try configuration.optionalInt("sliding_window_pattern")
      return if let pattern { pattern } else {
        try configuration.optionalInt("_sliding_window_pattern")
      }
    }
    return try configuration.fullAttentionPattern()
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let source = names.name(name) else { return nil }
    return name.module.hasSuffix("norm")
      ? try files.plusOne(source) : try files.tensor(named: source)
  }
}
