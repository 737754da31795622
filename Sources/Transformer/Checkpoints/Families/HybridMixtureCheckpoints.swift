import ModelFiles

/// A mixture of experts between delta nets and gated attention, and an expert that every token meets.
private protocol HybridMixtureCheckpoint: CheckpointFamily {
  var names: CheckpointNames { get }
  var expertCount: Int { get }
}

extension HybridMixtureCheckpoint {
  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    if let layer = name.layer, name.module.hasSuffix("_exps") {
      return try files.experts(
        name, prefix: "model.layers.\(layer).mlp.experts.", count: expertCount)
    }
    return try names.hybridTensor(name, in: files)
  }
}

/// Qwen 3.5's mixtures of experts, the part that reads text.
struct Qwen35MoECheckpoint: HybridMixtureCheckpoint {
  static let modelTypes = ["qwen3_5_moe_text"]
  static let architecture = Qwen35MoE.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let standards: [String: ConfigurationValue] = [
      "num_experts": .int(256), "num_experts_per_tok": .int(8),
    ]
    let configuration = configuration.filled(with: standards)
    var metadata: CheckpointMetadata
    (metadata, names) = try CheckpointMetadata.hybridMixture(
      architecture: Self.architecture, configuration)
    metadata.setAxes(standard: CheckpointMetadata.qwen35Axes)
    self.metadata = metadata
    expertCount = try configuration.expertCount()
  }
}

/// Qwen3-Next, whose delta nets have fewer, larger tensors.
struct Qwen3NextCheckpoint: HybridMixtureCheckpoint {
  static let modelTypes = ["qwen3_next"]
  static let architecture = Qwen3Next.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let standards: [String: ConfigurationValue] = [
      "num_experts": .int(512), "num_experts_per_tok": .int(10),
    ]
    let configuration = configuration.filled(with: standards)
    (metadata, names) = try CheckpointMetadata.hybridMixture(
      architecture: Self.architecture, configuration)
    expertCount = try configuration.expertCount()
  }
}

extension CheckpointMetadata {
  /// What the two families share, with the names of their tensors.
  fileprivate static func hybridMixture(
    architecture: String, _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) -> (CheckpointMetadata, CheckpointNames) {
    var configuration = configuration.filled(with: CheckpointConfiguration.hybridStandards)
      .filled(with: [
        "moe_intermediate_size": .int(512), "shared_expert_intermediate_size": .int(512),
      ])
    // No layer is dense, and Qwen 3.5's configuration has no width for such.
    configuration = configuration.filled(with: [
      "intermediate_size": .int(try configuration.int("moe_intermediate_size"))
    ])
    try configuration.refuseUnevenLayers()
    var metadata = try CheckpointMetadata(architecture: architecture, configuration)
    try metadata.readMixture(configuration, normalises: true, rotatesParts: true)
    metadata.set(
      "expert_shared_feed_forward_length",
      try configuration.int("shared_expert_intermediate_size"))
    try metadata.readDeltaNet(configuration)
    let names = try CheckpointNames(
      configuration, CheckpointNames.deltaNet.merging(CheckpointNames.sharedExpert) { $1 })
    return (metadata, names)
  }
}
