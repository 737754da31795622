import ModelFiles

/// Nemotron-H, Nemotron Nano 2 and Nemotron 3 Nano. Their modules have names of their own, each layer's block the same.
struct NemotronHCheckpoint: CheckpointFamily {
  static let modelTypes = ["nemotron_h"]
  static let architecture = NemotronH.architecture

  let metadata: CheckpointMetadata
  private let isTied: Bool
  private let expertCount: Int

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
    expertCount = hasExperts ? try metadata.readLaterMixture(configuration, isSigmoid: true) : 0
    if hasExperts {
      try metadata.readExpertGroups(configuration)
      metadata.set("moe_latent_size", try configuration.optionalInt("moe_latent_size"))
      metadata.set(
        "expert_shared_feed_forward_length",
        try configuration.int("moe_shared_expert_intermediate_size"))
    }
    try metadata.readNemotronMamba(configuration)
    self.metadata = metadata
    isTied = try configuration.optionalBool("tie_word_embeddings") ?? false
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let layer = name.layer else {
      switch name.module {
      case "token_embd": return try files.tensor(named: "backbone.embeddings." + name.kind)
      case "output_norm": return try files.tensor(named: "backbone.norm_f." + name.kind)
      case "output" where !isTied: return try files.tensor(named: "lm_head." + name.kind)
      default: return nil
      }
    }
    let prefix = "backbone.layers.\(layer)."
    let mixer = prefix + "mixer."
    if let view = try files.mambaTensor(name, prefix: mixer) { return view }
    switch name.module {
    case "attn_norm": return try files.tensor(named: prefix + "norm." + name.kind)
    case "exp_probs_b": return try files.tensor(named: mixer + "gate.e_score_correction_bias")
    case "ffn_up_exps", "ffn_down_exps":
      return try files.experts(
        name, prefix: mixer + "experts.", count: expertCount, matrices: Self.modules)
    default:
      guard let module = Self.modules[name.module] else { return nil }
      return try files.tensor(named: mixer + module + "." + name.kind)
    }
  }

  private static let modules = [
    "attn_q": "q_proj", "attn_k": "k_proj", "attn_v": "v_proj", "attn_output": "o_proj",
    "ssm_in": "in_proj", "ssm_out": "out_proj", "ssm_norm": "norm", "ssm_conv1d": "conv1d",
    "ffn_up": "up_proj", "ffn_down": "down_proj", "ffn_gate_inp": "gate",
    "ffn_up_exps": "up_proj", "ffn_down_exps": "down_proj",
    "ffn_up_shexp": "shared_experts.up_proj", "ffn_down_shexp": "shared_experts.down_proj",
  ]
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

extension CheckpointMetadata {
  fileprivate mutating func readNemotronMamba(
    _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    let heads = try configuration.count("mamba_num_heads", limit: MambaShape.headLimit)
    let headDim = try configuration.count(
      "mamba_head_dim", limit: DecoderConfiguration.Limit.headDim)
    set("ssm.time_step_rank", heads)
    set("ssm.inner_size", heads * headDim)
    set("ssm.state_size", try configuration.int("ssm_state_size"))
    set("ssm.group_count", try configuration.int("n_groups"))
    set("ssm.conv_kernel", try configuration.int("conv_kernel"))
  }
}
