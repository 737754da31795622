import ModelFiles

/// Gemma 2. GGUF files hold norm weights with the 1 that the model adds to them.
struct Gemma2Checkpoint: CheckpointFamily {
  static let modelTypes = ["gemma2"]
  static let architecture = Gemma2.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require(
      "hidden_activation", among: ["gelu_pytorch_tanh"], standard: "gelu_pytorch_tanh")
    if try configuration.optionalBool("use_bidirectional_attention") == true {
      throw configuration.unsupported("use_bidirectional_attention")
    }
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let headDim = try configuration.optionalInt("head_dim") ?? 256
    metadata.set("attention.key_length", headDim)
    metadata.set("attention.value_length", headDim)
    let scalar = try configuration.optionalDouble("query_pre_attn_scalar") ?? 256
    guard scalar > 0 else { throw configuration.unsupported("query_pre_attn_scalar") }
    metadata.set("attention.scale", 1 / scalar.squareRoot())
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
      // Without one the reference bends nothing; GGUF files always have it.
      guard let cap = try configuration.optionalDouble(key) else {
        throw configuration.unsupported(key)
      }
      metadata.set(key, cap)
    }
    metadata.set("attention.sliding_window", try configuration.int("sliding_window"))
    metadata.set("attention.sliding_window_pattern", try configuration.windowedLayers())
    try metadata.readRotary(configuration)
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.dense.merging([
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
