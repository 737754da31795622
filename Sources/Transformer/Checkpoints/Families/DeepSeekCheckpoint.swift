import ModelFiles

/// DeepSeek-V2 and V3. Nothing is permuted: their rotary pairs are neighbours in both formats.
struct DeepSeekCheckpoint: CheckpointFamily {
  static let modelTypes = ["deepseek_v2", "deepseek_v3"]
  static let architecture = DeepSeek2.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu"], standard: "silu")
    let isV3 = try configuration.optionalString("model_type") == "deepseek_v3"
    if try configuration.optionalBool("rope_interleave") == false {
      throw configuration.unsupported("rope_interleave")
    }
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration)
    let rotated = try configuration.int("qk_rope_head_dim")
    let (headDim, overflow) = try configuration.int("qk_nope_head_dim")
      .addingReportingOverflow(rotated)
    guard !overflow else {
      throw configuration.error(
        "qk_nope_head_dim", .invalid(value: "huge", expected: "a width"))
    }
    metadata.set("attention.key_length_mla", headDim)
    metadata.set("attention.value_length_mla", try configuration.int("v_head_dim"))
    metadata.set("rope.dimension_count", rotated)
    metadata.set("attention.kv_lora_rank", try configuration.int("kv_lora_rank"))
    metadata.set("attention.q_lora_rank", try configuration.optionalInt("q_lora_rank"))
    expertCount = try metadata.readLaterMixture(configuration, isSigmoid: isV3)
    let method = try configuration.optionalString("topk_method")
    try configuration.require(
      "topk_method", among: ["greedy", "group_limited_greedy", "noaux_tc"],
      standard: isV3 ? "noaux_tc" : "greedy")
    if isV3 || method == "group_limited_greedy" {
      try metadata.readExpertGroups(configuration)
    }
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.dense.merging([
        "attn_q_a": "self_attn.q_a_proj", "attn_q_b": "self_attn.q_b_proj",
        "attn_q_a_norm": "self_attn.q_a_layernorm",
        "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
        "attn_kv_a_norm": "self_attn.kv_a_layernorm", "attn_kv_b": "self_attn.kv_b_proj",
      ]) { $1 }.merging(CheckpointNames.sharedExperts) { $1 })
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.laterMixtureTensor(name, in: files, expertCount: expertCount)
  }
}

extension CheckpointMetadata {
  /// The mixtures of DeepSeek and of families with the same, behind some dense layers.
  /// - Returns: Routed experts; 0 for a dense model.
  mutating func readLaterMixture(
    _ configuration: CheckpointConfiguration, isSigmoid: Bool
  ) throws(ModelFileError) -> Int {
    let expertCount =
      configuration.contains("n_routed_experts")
      ? try configuration.count(
        "n_routed_experts", limit: DecoderConfiguration.Limit.expertCount) : 0
    set("expert_count", expertCount)
    set("expert_used_count", try configuration.optionalInt("num_experts_per_tok"))
    set("expert_shared_count", try configuration.optionalInt("n_shared_experts") ?? 0)
    set("expert_feed_forward_length", try configuration.optionalInt("moe_intermediate_size"))
    set("expert_weights_scale", try configuration.optionalDouble("routed_scaling_factor"))
    set(
      "leading_dense_block_count", try configuration.optionalInt("first_k_dense_replace") ?? 0)
    set("expert_gating_func", isSigmoid ? 2 : 1)
    set("expert_weights_norm", try configuration.optionalBool("norm_topk_prob") ?? isSigmoid)
    return expertCount
  }

  /// The groups that experts are chosen from.
  mutating func readExpertGroups(
    _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    set("expert_group_count", try configuration.optionalInt("n_group"))
    set("expert_group_used_count", try configuration.optionalInt("topk_group"))
  }
}

extension CheckpointNames {
  /// DeepSeek's names of the gate, and of the experts that every token meets.
  static let sharedExperts = [
    "ffn_gate_inp": "mlp.gate", "ffn_gate_shexp": "mlp.shared_experts.gate_proj",
    "ffn_up_shexp": "mlp.shared_experts.up_proj",
    "ffn_down_shexp": "mlp.shared_experts.down_proj",
  ]

  /// A tensor of a model with DeepSeek's mixtures.
  /// - Parameter bias: What the block calls the bias that only a choice sees.
  func laterMixtureTensor(
    _ name: TensorName, in files: CheckpointFiles, expertCount: Int,
    bias: String = "gate.e_score_correction_bias"
  ) throws(ModelFileError) -> TensorView? {
    if let layer = name.layer {
      let prefix = "model.layers.\(layer).mlp."
      if name.module == "exp_probs_b" {
        return try files.tensor(named: prefix + bias)
      }
      if name.module.hasSuffix("_exps") {
        return try files.experts(name, prefix: prefix + "experts.", count: expertCount)
      }
    }
    return try tensor(name, in: files)
  }
}

extension CheckpointFiles {
  /// The experts' matrices of one kind as one tensor: from one tensor an expert, or from one with
  /// all of them, where gate and up are halves of it. nil where there are none.
  func experts(
    _ name: TensorName, prefix: String, count: Int,
    matrices: [String: String] = [
      "ffn_gate_exps": "gate_proj", "ffn_up_exps": "up_proj", "ffn_down_exps": "down_proj",
    ]
  ) throws(ModelFileError) -> TensorView? {
    guard let matrix = matrices[name.module], name.kind == "weight" else { return nil }
    if contains("\(prefix)0.\(matrix).weight") {
      return try stacked((0..<count).map { "\(prefix)\($0).\(matrix).weight" })
    }
    switch name.module {
    case "ffn_gate_exps":
      return try rows(of: prefix + "gate_up_proj", first: { _ in 0 }, count: { $0 / 2 })
    case "ffn_up_exps":
      return try rows(of: prefix + "gate_up_proj", first: { $0 / 2 }, count: { $0 / 2 })
    default: return try tensor(named: prefix + "down_proj")
    }
  }
}
