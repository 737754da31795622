import ModelFiles

/// The names of models whose layers are a block each behind a norm, and all whose blocks are called `mixer` (Mamba-2,
/// Nemotron-H).
struct BackboneNames: Sendable {
  /// Whether the output head is the embedding.
  private let isTied: Bool
  private let expertCount: Int

  /// - Parameter expertCount: Routed experts of a mixture; 0 where there is none.
  init(_ configuration: CheckpointConfiguration, expertCount: Int) throws(ModelFileError) {
    isTied = try configuration.optionalBool("tie_word_embeddings") ?? false
    self.expertCount = expertCount
  }

  /// A tensor as GGUF files have it, or nil where the checkpoint has none.
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
