import ModelFiles

/// Ernie 4.5, dense.
struct Ernie45Checkpoint: NamedCheckpoint {
  static let modelTypes = ["ernie4_5"]
  static let architecture = Ernie45.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    metadata = try CheckpointMetadata(ernie: Self.architecture, configuration)
    names = try CheckpointNames(configuration, CheckpointNames.dense)
  }
}

/// Ernie 4.5's mixtures of experts.
struct Ernie45MoECheckpoint: CheckpointFamily {
  static let modelTypes = ["ernie4_5_moe"]
  static let architecture = Ernie45MoE.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let standards: [String: ConfigurationValue] = [
      "moe_num_experts": .int(64), "moe_k": .int(6), "moe_num_shared_experts": .int(2),
      "moe_intermediate_size": .int(1536), "moe_layer_start_index": .int(1),
      "moe_layer_interval": .int(1),
    ]
    let configuration = configuration.filled(with: standards)
    var metadata = try CheckpointMetadata(ernie: Self.architecture, configuration)
    expertCount = try configuration.count(
      "moe_num_experts", limit: DecoderConfiguration.Limit.expertCount)
    metadata.set("expert_count", expertCount)
    metadata.set("expert_used_count", try configuration.int("moe_k"))
    metadata.set("expert_shared_count", try configuration.int("moe_num_shared_experts"))
    metadata.set("expert_feed_forward_length", try configuration.int("moe_intermediate_size"))
    metadata.set("leading_dense_block_count", try configuration.int("moe_layer_start_index"))
    metadata.set("interleave_moe_layer_step", try configuration.int("moe_layer_interval"))
    // GGUF files can't say that the last layers are dense again.
    if let last = try configuration.optionalInt("moe_layer_end_index"), last != -1,
      last < (try configuration.int("num_hidden_layers")) - 1
    {
      throw configuration.unsupported("moe_layer_end_index")
    }
    self.metadata = metadata
    names = try CheckpointNames(
      configuration, CheckpointNames.dense.merging(CheckpointNames.sharedExperts) { $1 })
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.laterMixtureTensor(
      name, in: files, expertCount: expertCount, bias: "moe_statics.e_score_correction_bias")
  }
}

extension CheckpointMetadata {
  /// What both have in common.
  fileprivate init(
    ernie architecture: String, _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    try self.init(
      architecture: architecture, configuration.filled(with: ["rms_norm_eps": .double(1e-5)]))
    try readRotary(configuration, standardBase: 500_000)
  }
}
