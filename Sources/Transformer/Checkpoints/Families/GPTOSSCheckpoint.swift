import ModelFiles

/// gpt-oss. An expert's gate and up are the even and odd rows of one matrix; published weights are
/// MXFP4, and fine-tuned ones often bfloat16 with inputs before outputs.
struct GPTOSSCheckpoint: CheckpointFamily {
  static let modelTypes = ["gpt_oss"]
  static let architecture = GPTOSS.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu"], standard: "silu")
    for (key, value) in [("swiglu_alpha", 1.702), ("swiglu_limit", 7.0)] {
      if let given = try configuration.optionalDouble(key), given != value {
        throw configuration.unsupported(key)
      }
    }
    if let quantization = try configuration.optionalObject("quantization_config") {
      try quantization.require("quant_method", among: ["mxfp4"], standard: "mxfp4")
    }
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration, standardBase: 150_000)
    metadata.set("attention.sliding_window", try configuration.int("sliding_window"))
    metadata.set("attention.sliding_window_pattern", try configuration.windowedLayers())
    metadata.set("expert_count", try configuration.int("num_local_experts"))
    metadata.set("expert_used_count", try configuration.int("num_experts_per_tok"))
    metadata.set("expert_feed_forward_length", try configuration.int("intermediate_size"))
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      ["post_attention_norm": "post_attention_layernorm", "ffn_gate_inp": "mlp.router"])
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let layer = name.layer else { return try names.tensor(name, in: files) }
    let prefix = "model.layers.\(layer)."
    switch name.module {
    case "attn_sinks": return try files.tensor(named: prefix + "self_attn.sinks")
    case "ffn_gate_exps":
      return try experts(prefix + "mlp.experts.gate_up_proj", name.kind, first: 0, step: 2, files)
    case "ffn_up_exps":
      return try experts(prefix + "mlp.experts.gate_up_proj", name.kind, first: 1, step: 2, files)
    case "ffn_down_exps":
      return try experts(prefix + "mlp.experts.down_proj", name.kind, first: 0, step: 1, files)
    default: return try names.tensor(name, in: files)
    }
  }

  private func experts(
    _ source: String, _ kind: String, first: Int, step: Int, _ files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    if kind == "bias" {
      return try files.rows(
        of: source + "_bias", first: { _ in first }, step: step, count: { $0 / step })
    }
    if let packed = try files.mxfp4(source, first: first, step: step) { return packed }
    return try files.transposed(source, first: first, step: step)
  }
}
