import ModelFiles

/// Nemotron-H, Nemotron Nano 2 and Nemotron 3 Nano. Their modules have names of their own, each layer's block the same.
struct NemotronHCheckpoint: CheckpointFamily {
  static let modelTypes = ["nemotron_h"]
  static let architecture = NemotronH.architecture

  let metadata: CheckpointMetadata
  private let names: BackboneNames

  /// What the class has where a configuration leaves it out.
  private static let standards: [String: ConfigurationValue] = [
    "hidden_size": .int(4096), "num_attention_heads": .int(32), "num_key_value_heads": .int(8),
    "max_position_embeddings": .int(4096), "intermediate_size": .int(21_504),
    "layer_norm_epsilon": .double(1e-5), "ssm_state_size": .int(128),
    "mamba_num_heads": .int(128), "mamba_head_dim": .int(64), "n_groups": .int(8),
    "conv_kernel": .int(4), "n_routed_experts": .int(8), "moe_intermediate_size": .int(7688),
    "moe_shared_expert_intermediate_size": .int(7688), "num_experts_per_tok": .int(2),
  ]

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let kinds = try configuration.nemotronLayers()
    let given = configuration.filled(with: Self.standards)
    // Older files call the width of heads otherwise, and the last part of a norm's formula as others do.
    let configuration = given.filled(with: [
      "num_hidden_layers": .int(kinds.count),
      "rms_norm_eps": .double(try given.double("layer_norm_epsilon")),
      "head_dim": .int(try given.optionalInt("attention_head_dim") ?? 128),
    ])
    try configuration.require("mlp_hidden_act", among: ["relu2"], standard: "relu2")
    try configuration.require("mamba_hidden_act", among: ["silu", "swish"], standard: "silu")
    try configuration.refuseBounds("time_step_limit")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    metadata.set("block_count", kinds.count)
    let hasExperts = kinds.contains(.mixture)
    let inner = hasExperts ? "moe_intermediate_size" : "intermediate_size"
    let width = try configuration.int(inner)
    let heads = try configuration.int("num_key_value_heads")
    metadata.set("feed_forward_length", kinds.map { $0.isFeedForward ? width : 0 })
    metadata.set("attention.head_count_kv", kinds.map { $0 == .attention ? heads : 0 })
    var expertCount = 0
    if hasExperts {
      expertCount = try metadata.readLaterMixture(configuration, isSigmoid: true)
      try metadata.readExpertGroups(configuration)
      metadata.set("moe_latent_size", try configuration.optionalInt("moe_latent_size"))
      metadata.set(
        "expert_shared_feed_forward_length",
        try configuration.int("moe_shared_expert_intermediate_size"))
    }
    try metadata.readMamba(
      configuration, heads: "mamba_num_heads", headDim: "mamba_head_dim", state: "ssm_state_size")
    self.metadata = metadata
    names = try BackboneNames(configuration, expertCount: expertCount)
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.tensor(name, in: files)
  }
}

/// What a layer of Nemotron-H is.
private enum NemotronLayer {
  case mamba, attention, dense, mixture

  var isFeedForward: Bool { self == .dense || self == .mixture }

  /// By the letters of today's published files, and by the names that the library writes.
  init?(_ kind: String) {
    switch kind {
    case "M", "mamba", "linear_attention": self = .mamba
    case "*", "attention", "full_attention": self = .attention
    case "-", "mlp": self = .dense
    case "E", "moe": self = .mixture
    default: return nil
    }
  }
}

extension CheckpointConfiguration {
  /// What the layers are. A model with dense blocks as well as mixtures is refused: no published one has both.
  fileprivate func nemotronLayers() throws(ModelFileError) -> [NemotronLayer] {
    let listed = "layers_block_type"
    var key = listed
    var names = try optionalStrings(listed)
    if names == nil {
      key = "hybrid_override_pattern"
      names = try optionalString(key)?.map { String($0) }
    }
    guard let names else { throw error(key, .missing) }
    let kinds = names.compactMap { NemotronLayer($0) }
    guard kinds.count == names.count, kinds.count <= DecoderConfiguration.Limit.layerCount,
      !(kinds.contains(.dense) && kinds.contains(.mixture))
    else { throw unsupported(key) }
    return kinds
  }
}
