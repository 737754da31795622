import ModelFiles

/// Gemma 4, text only.
struct Gemma4Checkpoint: CheckpointFamily {
  static let modelTypes = ["gemma4_text", "gemma4_unified_text"]
  static let architecture = Gemma4.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  /// What each pair's frequency is divided by in layers that see everything.
  private let rotaryFactors: [Double]

  /// What the configuration's class has for keys that are missing.
  private static let standards: [String: ConfigurationValue] = [
    "num_attention_heads": .int(8), "num_key_value_heads": .int(4), "head_dim": .int(256),
    "rms_norm_eps": .double(1e-6), "num_kv_shared_layers": .int(0),
  ]
  private static let ownStandards: [String: [String: ConfigurationValue]] = [
    "gemma4_text": [
      "max_position_embeddings": .int(131_072), "sliding_window": .int(512),
      "hidden_size_per_layer_input": .int(256),
    ],
    "gemma4_unified_text": [
      "max_position_embeddings": .int(262_144), "sliding_window": .int(1024),
    ],
  ]
  private static let globalHeadDim = 512

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let type = try configuration.optionalString("model_type") ?? ""
    let configuration = configuration.filled(
      with: Self.standards.merging(Self.ownStandards[type] ?? [:]) { $1 })
    try configuration.require(
      "hidden_activation", among: ["gelu_pytorch_tanh"], standard: "gelu_pytorch_tanh")
    // Of pictures alone: text is read in one direction.
    try configuration.require(
      "use_bidirectional_attention", among: ["vision"], standard: "vision")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let layers = try configuration.count(
      "num_hidden_layers", limit: DecoderConfiguration.Limit.layerCount)
    let windowed = try Self.windowedLayers(configuration, count: layers)
    metadata.set("attention.sliding_window", try configuration.int("sliding_window"))
    metadata.set("attention.sliding_window_pattern", windowed)
    let heads = try Self.globalHeads(configuration, windowed: windowed)
    let localHeadDim = try configuration.int("head_dim")
    metadata.set("attention.key_length", heads.dim)
    metadata.set("attention.value_length", heads.dim)
    metadata.set("attention.key_length_swa", localHeadDim)
    metadata.set("attention.value_length_swa", localHeadDim)
    let local = try configuration.int("num_key_value_heads")
    metadata.set("attention.head_count_kv", windowed.map { $0 ? local : heads.keyValueCount })
    let shared = try configuration.int("num_kv_shared_layers")
    metadata.set("attention.shared_kv_layers", shared)
    if try configuration.optionalBool("use_double_wide_mlp") ?? false {
      let (inner, overflow) = try configuration.int("intermediate_size")
        .multipliedReportingOverflow(by: 2)
      guard (0...layers).contains(shared), !overflow else {
        throw configuration.unsupported("num_kv_shared_layers")
      }
      metadata.set(
        "feed_forward_length", (0..<layers).map { $0 < layers - shared ? inner / 2 : inner })
    }
    metadata.set(
      "final_logit_softcapping", try configuration.optionalDouble("final_logit_softcapping"))
    metadata.set(
      "embedding_length_per_layer_input",
      try configuration.optionalInt("hidden_size_per_layer_input"))
    if try configuration.optionalBool("enable_moe_block") ?? false {
      metadata.set("expert_count", try configuration.int("num_experts"))
      metadata.set("expert_used_count", try configuration.int("top_k_experts"))
      metadata.set("expert_feed_forward_length", try configuration.int("moe_intermediate_size"))
    }
    let rotary = try configuration.optionalObject("rope_parameters")
    rotaryFactors = try Self.readRotary(rotary, headDim: heads.dim, into: &metadata)
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.dense.merging([
        "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
        "post_ffw_norm_1": "post_feedforward_layernorm_1",
        "pre_ffw_norm_2": "pre_feedforward_layernorm_2",
        "post_ffw_norm_2": "post_feedforward_layernorm_2", "ffn_gate_inp": "router.proj",
        "inp_gate": "per_layer_input_gate", "proj": "per_layer_projection",
        "post_norm": "post_per_layer_input_norm",
      ]) { $1 })
  }

  /// The last layer sees everything, whatever is written of it.
  private static func windowedLayers(
    _ configuration: CheckpointConfiguration, count: Int
  ) throws(ModelFileError) -> [Bool] {
    var windowed =
      try configuration.windowedLayers()
      ?? (0..<count).map { !($0 + 1).isMultiple(of: Gemma4.slidingWindowPattern) }
    guard windowed.count == count, count > 0 else {
      throw configuration.unsupported("layer_types")
    }
    windowed[count - 1] = false
    return windowed
  }

  /// The heads of the layers that see everything, in the words of published files or in those of
  /// transformers since 5.20, which lists what single layers have otherwise.
  private static func globalHeads(
    _ configuration: CheckpointConfiguration, windowed: [Bool]
  ) throws(ModelFileError) -> (dim: Int, keyValueCount: Int) {
    var dim = try configuration.optionalInt("global_head_dim")
    var count: Int?
    if try configuration.optionalBool("attention_k_eq_v") ?? false {
      count = try configuration.optionalInt("num_global_key_value_heads")
    }
    let local = try configuration.int("num_key_value_heads")
    guard let list = try configuration.optionalObject("per_layer_config") else {
      return (dim ?? globalHeadDim, count ?? local)
    }
    for (index, isWindowed) in windowed.enumerated() {
      guard let layer = try list.optionalObject("\(index)") else { continue }
      let ownDim = try layer.optionalInt("head_dim")
      let ownCount = try layer.optionalInt("num_key_value_heads")
      // Layers of a kind are alike.
      guard !isWindowed, dim == nil || ownDim == nil || dim == ownDim,
        count == nil || ownCount == nil || count == ownCount
      else { throw configuration.unsupported("per_layer_config") }
      dim = ownDim ?? dim
      count = ownCount ?? count
    }
    if dim == nil { dim = try configuration.int("head_dim") }
    return (dim ?? globalHeadDim, count ?? local)
  }

  /// - Returns: What frequencies are divided by in layers that see everything. Of their pairs a part is
  ///   rotated, from the first on, with the frequencies that all would have.
  private static func readRotary(
    _ rotary: CheckpointConfiguration?, headDim: Int, into metadata: inout CheckpointMetadata
  ) throws(ModelFileError) -> [Double] {
    let full = try rotary?.optionalObject("full_attention")
    let windowed = try rotary?.optionalObject("sliding_attention")
    metadata.set("rope.freq_base", try full?.optionalDouble("rope_theta") ?? 1_000_000)
    metadata.set(
      "rope.freq_base_swa", try windowed?.optionalDouble("rope_theta") ?? Gemma4.localRotaryBase)
    try windowed?.require("rope_type", among: ["default"], standard: "default")
    try full?.require("rope_type", among: ["default", "proportional"], standard: "proportional")
    for place in [full, windowed] {
      guard let place, let factor = try place.optionalDouble("factor"), factor != 1 else {
        continue
      }
      throw place.unsupported("factor")
    }
    guard (2...DecoderConfiguration.Limit.headDim).contains(headDim) else { return [] }
    var part = 0.25
    if let full {
      part =
        try full.optionalString("rope_type") == "default"
        ? 1 : full.optionalDouble("partial_rotary_factor") ?? 1
      guard part >= 0, part <= 1 else { throw full.unsupported("partial_rotary_factor") }
    }
    let rotated = Int(part * Double(headDim) / 2)
    return (0..<headDim / 2).map { $0 < rotated ? 1 : Double(DecoderConfiguration.unrotated) }
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let layer = name.layer else {
      switch name.module {
      case "rope_freqs":
        return rotaryFactors.isEmpty ? nil : try files.vector(name.module, rotaryFactors)
      case "per_layer_token_embd":
        return try files.tensor(named: "model.embed_tokens_per_layer." + name.kind)
      case "per_layer_model_proj":
        return try files.tensor(named: "model.per_layer_model_projection." + name.kind)
      case "per_layer_proj_norm":
        return try files.tensor(named: "model.per_layer_projection_norm." + name.kind)
      default: return try names.tensor(name, in: files)
      }
    }
    let prefix = "model.layers.\(layer)."
    switch (name.module, name.kind) {
    case ("layer_output_scale", "weight"): return try files.tensor(named: prefix + "layer_scalar")
    case ("ffn_gate_inp", "scale"): return try files.tensor(named: prefix + "router.scale")
    case ("ffn_down_exps", "scale"):
      return try files.tensor(named: prefix + "router.per_expert_scale")
    case ("ffn_gate_up_exps", "weight"):
      return try files.tensor(named: prefix + "experts.gate_up_proj")
    case ("ffn_down_exps", "weight"):
      return try files.tensor(named: prefix + "experts.down_proj")
    default: return try names.tensor(name, in: files)
    }
  }
}
