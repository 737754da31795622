import ModelFiles

/// GLM-4.5 and 4.6.
struct GLM4MoECheckpoint: CheckpointFamily {
  static let modelTypes = ["glm4_moe"]
  static let architecture = GLM4MoE.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu"], standard: "silu")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let scaling = try configuration.optionalObject("rope_parameters")
    try metadata.readRotary(
      scaling?.contains("partial_rotary_factor") == true
        ? configuration : configuration.filled(with: ["partial_rotary_factor": .double(0.5)]),
      rotatesParts: true)
    expertCount = try metadata.readLaterMixture(configuration, isSigmoid: true)
    try metadata.readExpertGroups(configuration)
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.dense.merging([
        "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
      ]) { $1 }.merging(CheckpointNames.sharedExperts) { $1 })
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.laterMixtureTensor(name, in: files, expertCount: expertCount)
  }
}
