import Foundation
import ModelFiles

/// Qwen 3.5, dense, the part that reads text.
///
/// GGUF files hold norm weights with the 1 that the model adds to them, except those in delta nets, the rates of decay
/// as they are used, and value heads in another order, which the metadata tell here instead.
struct Qwen35Checkpoint: CheckpointFamily {
  static let modelTypes = ["qwen3_5_text"]
  static let architecture = Qwen35.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let configuration = configuration.filled(with: CheckpointConfiguration.hybridStandards)
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration, rotatesParts: true)
    try metadata.readDeltaNet(configuration)
    metadata.setAxes(standard: CheckpointMetadata.qwen35Axes)
    self.metadata = metadata
    names = try CheckpointNames(
      configuration, CheckpointNames.dense.merging(CheckpointNames.deltaNet) { $1 })
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.hybridTensor(name, in: files)
  }
}

extension CheckpointConfiguration {
  /// What the classes of models with delta nets have where a configuration leaves it out.
  static let hybridStandards: [String: ConfigurationValue] = [
    "max_position_embeddings": .int(32_768), "rms_norm_eps": .double(1e-6), "head_dim": .int(256),
    "partial_rotary_factor": .double(0.25), "full_attention_interval": .int(4),
    "linear_conv_kernel_dim": .int(4), "linear_key_head_dim": .int(128),
    "linear_value_head_dim": .int(128), "linear_num_key_heads": .int(16),
    "linear_num_value_heads": .int(32),
  ]
}

extension CheckpointMetadata {
  /// Qwen 3.5's pairs of each rotary axis.
  static let qwen35Axes = [11, 11, 10]

  /// The sizes of delta-net layers, and which layers those are.
  mutating func readDeltaNet(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let width = try configuration.int("linear_value_head_dim")
    // GGUF files, too, have one width for both.
    guard width == (try configuration.int("linear_key_head_dim")) else {
      throw configuration.unsupported("linear_key_head_dim")
    }
    let heads = try configuration.count(
      "linear_num_value_heads", limit: DeltaNetShape.headLimit)
    guard (0...DecoderConfiguration.Limit.headDim).contains(width) else {
      throw configuration.unsupported("linear_value_head_dim")
    }
    set("ssm.conv_kernel", try configuration.int("linear_conv_kernel_dim"))
    set("ssm.state_size", width)
    set("ssm.group_count", try configuration.int("linear_num_key_heads"))
    set("ssm.time_step_rank", heads)
    set("ssm.inner_size", heads * width)
    set("ssm.groups_heads", true)
    guard let kinds = try configuration.optionalStrings("layer_types") else {
      set("full_attention_interval", try configuration.int("full_attention_interval"))
      return
    }
    for kind in kinds where !["linear_attention", "full_attention"].contains(kind) {
      throw configuration.unsupported("layer_types")
    }
    set("attention.recurrent_layers", kinds.map { $0 == "linear_attention" })
  }
}

extension CheckpointNames {
  /// A checkpoint's names of what delta nets, and the attention between them, have.
  static let deltaNet = [
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm", "attn_qkv": "linear_attn.in_proj_qkv",
    "attn_gate": "linear_attn.in_proj_z", "ssm_alpha": "linear_attn.in_proj_a",
    "ssm_beta": "linear_attn.in_proj_b", "ssm_in": "linear_attn.in_proj_qkvz",
    "ssm_ba": "linear_attn.in_proj_ba", "ssm_conv1d": "linear_attn.conv1d",
    "ssm_norm": "linear_attn.norm", "ssm_out": "linear_attn.out_proj",
  ]

  /// A tensor of a model that mixes delta nets and attention.
  func hybridTensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    let prefix = name.layer.map { "model.layers.\($0).linear_attn." }
    switch (name.module, name.kind, prefix) {
    case ("ssm_a", "", let prefix?): return try files.changed(prefix + "A_log") { -exp($0) }
    case ("ssm_dt", "bias", let prefix?): return try files.tensor(named: prefix + "dt_bias")
    case ("ssm_conv1d", "weight", let prefix?):
      return try files.convolution(prefix + "conv1d.weight")
    case ("ssm_norm", _, _): return try tensor(name, in: files)
    case (_, "", _): return nil
    default: return try tensorWithWholeNorms(name, in: files)
    }
  }
}
