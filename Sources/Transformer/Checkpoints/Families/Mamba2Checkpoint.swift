import ModelFiles

/// Mamba-2 alone.
struct Mamba2Checkpoint: CheckpointFamily {
  static let modelTypes = ["mamba2"]
  static let architecture = Mamba2.architecture

  let metadata: CheckpointMetadata
  private let names: BackboneNames

  /// What the class has where a configuration leaves it out; and what has no place in one, since no position is
  /// counted and there is no attention.
  private static let standards: [String: ConfigurationValue] = [
    "hidden_size": .int(4096), "num_hidden_layers": .int(64), "layer_norm_epsilon": .double(1e-5),
    "num_heads": .int(128), "head_dim": .int(64), "state_size": .int(128), "n_groups": .int(8),
    "conv_kernel": .int(4), "max_position_embeddings": .int(1 << 20), "intermediate_size": .int(0),
    "num_attention_heads": .int(0),
  ]

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let given = configuration.filled(with: Self.standards)
    let configuration = given.filled(with: [
      "rms_norm_eps": .double(try given.double("layer_norm_epsilon"))
    ])
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    try configuration.refuseBounds("time_step_limit")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readMamba(
      configuration, heads: "num_heads", headDim: "head_dim", state: "state_size")
    self.metadata = metadata
    names = try BackboneNames(configuration, expertCount: 0)
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.tensor(name, in: files)
  }
}

extension CheckpointMetadata {
  /// The sizes of Mamba-2 layers, under the keys that the family has for them.
  mutating func readMamba(
    _ configuration: CheckpointConfiguration, heads: String, headDim: String, state: String
  ) throws(ModelFileError) {
    let count = try configuration.count(heads, limit: MambaShape.headLimit)
    let width = try configuration.count(headDim, limit: DecoderConfiguration.Limit.headDim)
    set("ssm.time_step_rank", count)
    set("ssm.inner_size", count * width)
    set("ssm.state_size", try configuration.int(state))
    set("ssm.group_count", try configuration.int("n_groups"))
    set("ssm.conv_kernel", try configuration.int("conv_kernel"))
  }
}
