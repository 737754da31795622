import Foundation
import ModelFiles

/// Granite 4. GGUF files hold queries and keys in Llama's order of rows, and the rates of decay as they are
/// used.
struct GraniteHybridCheckpoint: CheckpointFamily {
  static let modelTypes = ["granitemoehybrid"]
  static let architecture = GraniteHybrid.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let heads: (query: Int, key: Int)
  private let hasExperts: Bool

  /// What the class has where a configuration leaves it out.
  private static let standards: [String: ConfigurationValue] = [
    "attention_multiplier": .double(1), "logits_scaling": .double(1),
    "num_local_experts": .int(8), "num_experts_per_tok": .int(2),
    "shared_intermediate_size": .int(1024), "mamba_n_heads": .int(128), "mamba_n_groups": .int(1),
    "mamba_d_state": .int(256), "mamba_d_conv": .int(4), "mamba_expand": .int(2),
  ]

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let configuration = configuration.filled(with: Self.standards)
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let position = try configuration.optionalString("position_embedding_type") ?? "nope"
    guard ["rope", "nope"].contains(position) else {
      throw configuration.unsupported("position_embedding_type")
    }
    metadata.set("rope.scaling.finetuned", position == "rope")
    hasExperts = try configuration.expertCount() > 0
    if hasExperts {
      try metadata.readMixture(configuration, normalises: true)
    } else {
      try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
      try metadata.readRotary(configuration)
    }
    metadata.set(
      "expert_shared_feed_forward_length", try configuration.int("shared_intermediate_size"))
    try metadata.readGraniteFactors(configuration)
    heads = try configuration.headCounts()
    try metadata.readGraniteMamba(configuration, keyValueHeads: heads.key)
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      [
        "ssm_in": "mamba.in_proj", "ssm_out": "mamba.out_proj", "ssm_norm": "mamba.norm",
        "ssm_conv1d": "mamba.conv1d", "ffn_gate_inp": "block_sparse_moe.router.layer",
        "ffn_down_shexp": "shared_mlp.output_linear",
      ])
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let layer = name.layer else { return try names.tensor(name, in: files) }
    let prefix = "model.layers.\(layer)."
    if let view = try files.mambaTensor(name, prefix: prefix + "mamba.") { return view }
    let shared = prefix + "shared_mlp.input_linear.weight"
    switch name.module {
    case "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps":
      return try files.graniteExperts(name, prefix: prefix + "block_sparse_moe.")
    case "ffn_gate_shexp" where name.kind == "weight":
      return try files.half(of: shared, second: false)
    case "ffn_up_shexp" where name.kind == "weight":
      return try files.half(of: shared, second: true)
    // One tensor for gate and up, as the dense block takes it.
    case "ffn_up" where !hasExperts && name.kind == "weight":
      return try files.tensor(named: shared)
    case "ffn_down" where !hasExperts && name.kind == "weight":
      return try files.tensor(named: prefix + "shared_mlp.output_linear.weight")
    default: return try names.tensor(name, in: files, permutedHeads: heads)
    }
  }
}

extension CheckpointMetadata {
  fileprivate mutating func readGraniteMamba(
    _ configuration: CheckpointConfiguration, keyValueHeads: Int
  ) throws(ModelFileError) {
    try configuration.refuseBounds("time_step_limit")
    let kinds = try configuration.optionalStrings("layer_types") ?? []
    // As the library writes them, and as the published files have them.
    let recurrent = ["linear_attention", "mamba"]
    for kind in kinds where !(recurrent + ["full_attention", "attention"]).contains(kind) {
      throw configuration.unsupported("layer_types")
    }
    set("attention.head_count_kv", kinds.map { recurrent.contains($0) ? 0 : keyValueHeads })
    guard kinds.contains(where: recurrent.contains) else { return }
    let count = try configuration.count("mamba_n_heads", limit: MambaShape.headLimit)
    let width = try configuration.count(
      "hidden_size", limit: DecoderConfiguration.Limit.width)
    let inner =
      width * (try configuration.count("mamba_expand", limit: 1 << 10))
    // A text says that it follows from the rest.
    if configuration.hasNumber("mamba_d_head") {
      let headDim = try configuration.count(
        "mamba_d_head", limit: DecoderConfiguration.Limit.headDim)
      guard headDim * count == inner else { throw configuration.unsupported("mamba_d_head") }
    }
    set("ssm.conv_kernel", try configuration.int("mamba_d_conv"))
    set("ssm.state_size", try configuration.int("mamba_d_state"))
    set("ssm.group_count", try configuration.int("mamba_n_groups"))
    set("ssm.time_step_rank", count)
    set("ssm.inner_size", inner)
  }
}

extension CheckpointFiles {
  /// What of a Mamba-2 layer's tensors differs from GGUF in more than its name; nil for others.
  func mambaTensor(
    _ name: TensorName, prefix: String
  ) throws(ModelFileError) -> TensorView? {
    switch (name.module, name.kind) {
    case ("ssm_a", ""): return try changed(prefix + "A_log") { -exp($0) }
    case ("ssm_d", ""): return try tensor(named: prefix + "D")
    case ("ssm_dt", "bias"): return try tensor(named: prefix + "dt_bias")
    case ("ssm_conv1d", "weight"): return try convolution(prefix + "conv1d.weight")
    default: return nil
    }
  }
}
