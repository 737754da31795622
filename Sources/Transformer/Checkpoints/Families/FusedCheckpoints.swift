import ModelFiles

/// Phi 3, 3.5 and 4: queries, keys and values in one tensor, gate and up in another.
struct Phi3Checkpoint: CheckpointFamily {
  static let modelTypes = ["phi3"]
  static let architecture = Phi3.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  /// LongRoPE's factors on what frequencies are divided by, by the tensors that GGUF has for them.
  private let factors: [String: [Double]]

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    factors = try metadata.readLongRotary(configuration)
    metadata.set("attention.sliding_window", try configuration.optionalInt("sliding_window"))
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      [
        "attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj",
        "ffn_down": "mlp.down_proj",
      ])
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    if let factors = factors[name.module], name.layer == nil, name.kind == "weight" {
      return try files.vector(name.module, factors)
    }
    return try names.tensor(name, in: files)
  }
}

/// GLM-4-0414 and GLM-Z1: gate and up in one tensor, and a norm behind each block too.
struct GLM4Checkpoint: NamedCheckpoint {
  static let modelTypes = ["glm4"]
  static let architecture = GLM4.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration, rotatesParts: true)
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      [
        "post_attention_norm": "post_self_attn_layernorm", "post_ffw_norm": "post_mlp_layernorm",
        "ffn_up": "mlp.gate_up_proj", "ffn_down": "mlp.down_proj",
      ])
  }
}

extension CheckpointMetadata {
  /// The rotary base and scaling, LongRoPE among it.
  /// - Returns: LongRoPE's factors by GGUF's names of their tensors; empty without it.
  fileprivate mutating func readLongRotary(
    _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) -> [String: [Double]] {
    var scaling = try configuration.optionalObject("rope_parameters")
    if scaling == nil { scaling = try configuration.optionalObject("rope_scaling") }
    try readRotary(configuration, rotatesParts: true)
    guard let scaling, scaling.contains("long_factor") else { return [:] }
    var original = try configuration.optionalInt("original_max_position_embeddings")
    if original == nil { original = try scaling.int("original_max_position_embeddings") }
    guard let original, original > 1 else {
      throw configuration.unsupported("original_max_position_embeddings")
    }
    set("rope.scaling.original_context_length", original)
    var magnitude = try scaling.optionalDouble("attention_factor")
    if magnitude == nil {
      let context = try configuration.int("max_position_embeddings")
      magnitude = Phi3.magnitude(context: context, original: original)
    }
    set("rope.scaling.attn_factor", magnitude)
    return [
      "rope_factors_long": try scaling.doubles("long_factor"),
      "rope_factors_short": try scaling.doubles("short_factor"),
    ]
  }
}
