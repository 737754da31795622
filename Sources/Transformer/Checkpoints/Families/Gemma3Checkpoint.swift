import ModelFiles

/// Gemma 3, text only. GGUF files hold norm weights with the 1 that the model adds to them.
struct Gemma3Checkpoint: CheckpointFamily {
  static let modelTypes = ["gemma3_text"]
  static let architecture = Gemma3.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames

  /// What the models with pictures leave out of their text part's configuration.
  private static let standards: [String: ConfigurationValue] = [
    "num_attention_heads": .int(8), "num_key_value_heads": .int(4), "head_dim": .int(256),
    "max_position_embeddings": .int(131_072), "rms_norm_eps": .double(1e-6),
    "sliding_window": .int(4096), "query_pre_attn_scalar": .int(256),
  ]

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let configuration = configuration.filled(with: Self.standards)
    try configuration.require(
      "hidden_activation", among: ["gelu_pytorch_tanh"], standard: "gelu_pytorch_tanh")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let headDim = try configuration.optionalInt("head_dim") ?? 256
    metadata.set("attention.key_length", headDim)
    metadata.set("attention.value_length", headDim)
    let scalar = try configuration.optionalDouble("query_pre_attn_scalar") ?? Double(headDim)
    guard scalar > 0 else { throw configuration.unsupported("query_pre_attn_scalar") }
    metadata.set("attention.scale", 1 / scalar.squareRoot())
    if try configuration.optionalDouble("attn_logit_softcapping") != nil {
      throw configuration.unsupported("attn_logit_softcapping")
    }
    metadata.set(
      "final_logit_softcapping", try configuration.optionalDouble("final_logit_softcapping"))
    if try configuration.optionalBool("use_bidirectional_attention") == true {
      throw configuration.unsupported("use_bidirectional_attention")
    }
    metadata.set("attention.sliding_window", try configuration.int("sliding_window"))
    if let windowed = try configuration.windowedLayers() {
      metadata.set("attention.sliding_window_pattern", windowed)
    } else {
      for key in ["sliding_window_pattern", "_sliding_window_pattern"] {
        guard let period = try configuration.optionalInt(key) else { continue }
        metadata.set("attention.sliding_window_pattern", period)
      }
    }
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

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.tensorWithWholeNorms(name, in: files)
  }
}
