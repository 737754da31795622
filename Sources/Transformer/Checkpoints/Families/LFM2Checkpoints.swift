import ModelFiles

/// LFM2, dense. Its configurations have names of their own for what other families have too, and for some of it several.
struct LFM2Checkpoint: CheckpointFamily {
  static let modelTypes = ["lfm2"]
  static let architecture = LFM2.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let standards: [String: ConfigurationValue] = [
      "intermediate_size": .int(12_288), "num_key_value_heads": .int(8),
    ]
    let configuration = configuration.filled(with: standards)
    var metadata = try CheckpointMetadata(
      architecture: Self.architecture, shortConvolutions: configuration)
    metadata.set("feed_forward_length", try configuration.adjustedWidth())
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.shortConvolutions.merging([
        "ffn_gate": "feed_forward.w1", "ffn_up": "feed_forward.w3", "ffn_down": "feed_forward.w2",
      ]) { $1 })
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.shortConvolutionTensor(name, in: files)
  }
}

/// LFM2's mixtures of experts.
struct LFM2MoECheckpoint: CheckpointFamily {
  static let modelTypes = ["lfm2_moe"]
  static let architecture = LFM2MoE.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    let standards: [String: ConfigurationValue] = [
      "intermediate_size": .int(7168), "moe_intermediate_size": .int(1792),
      "num_key_value_heads": .int(8), "num_experts": .int(32), "num_experts_per_tok": .int(4),
      "num_dense_layers": .int(2),
    ]
    let configuration = configuration.filled(with: standards)
    var metadata = try CheckpointMetadata(
      architecture: Self.architecture, shortConvolutions: configuration)
    expertCount = try configuration.expertCount()
    metadata.set("expert_count", expertCount)
    metadata.set("expert_used_count", try configuration.int("num_experts_per_tok"))
    metadata.set("expert_feed_forward_length", try configuration.int("moe_intermediate_size"))
    metadata.set("leading_dense_block_count", try configuration.int("num_dense_layers"))
    metadata.set("expert_weights_norm", try configuration.optionalBool("norm_topk_prob"))
    metadata.set(
      "expert_weights_scale", try configuration.optionalDouble("routed_scaling_factor"))
    self.metadata = metadata
    names = try CheckpointNames(
      configuration,
      CheckpointNames.shortConvolutions.merging([
        "ffn_gate": "feed_forward.w1", "ffn_up": "feed_forward.w3", "ffn_down": "feed_forward.w2",
        "ffn_gate_inp": "feed_forward.gate",
      ]) { $1 })
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    if let layer = name.layer {
      let prefix = "model.layers.\(layer).feed_forward."
      if name.module == "exp_probs_b" { return try files.tensor(named: prefix + "expert_bias") }
      if name.module.hasSuffix("_exps") {
        return try files.experts(
          name, prefix: prefix + "experts.", count: expertCount,
          matrices: CheckpointNames.numberedMatrices)
      }
    }
    return try names.shortConvolutionTensor(name, in: files)
  }
}

extension CheckpointMetadata {
  /// What LFM2's models share.
  fileprivate init(
    architecture: String, shortConvolutions configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    let configuration = configuration.filled(with: [
      "rms_norm_eps": .double(try configuration.optionalDouble("norm_eps") ?? 1e-5),
      "max_position_embeddings": .int(128_000),
    ])
    try self.init(architecture: architecture, configuration)
    try readRotary(configuration, standardBase: 1_000_000)
    if try configuration.optionalBool("conv_bias") == true {
      throw configuration.unsupported("conv_bias")
    }
    set("shortconv.l_cache", try configuration.optionalInt("conv_L_cache") ?? 3)
    let heads = try configuration.int("num_key_value_heads")
    set(
      "attention.head_count_kv",
      try configuration.attendingLayers().map { attends in attends ? heads : 0 })
  }
}

extension CheckpointConfiguration {
  /// Which layers are attention: by their kinds, or by a list of them; all where there is neither.
  fileprivate func attendingLayers() throws(ModelFileError) -> [Bool] {
    let count = try count("num_hidden_layers", limit: DecoderConfiguration.Limit.layerCount)
    if let kinds = try optionalStrings("layer_types") {
      for kind in kinds where !["conv", "full_attention"].contains(kind) {
        throw unsupported("layer_types")
      }
      return kinds.map { $0 != "conv" }
    }
    guard let places = try optionalInts("full_attn_idxs") else {
      return Array(repeating: true, count: count)
    }
    return (0..<count).map { places.contains($0) }
  }

  /// The width between the feed-forward block's two halves, which is made of the one that is stated.
  fileprivate func adjustedWidth() throws(ModelFileError) -> Int {
    let limit = 2 * DecoderConfiguration.Limit.feedForwardWidth
    var width = try count(
      contains("block_ff_dim") ? "block_ff_dim" : "intermediate_size", limit: limit)
    guard try optionalBool("block_auto_adjust_ff_dim") ?? true else { return width }
    width = 2 * width / 3
    let factor = try optionalDouble("block_ffn_dim_multiplier") ?? 1
    guard factor > 0, factor <= 100 else {
      throw error(
        "block_ffn_dim_multiplier", .invalid(value: "\(factor)", expected: "above 0, at most 100"))
    }
    width = Int(Double(width) * factor)
    let step = contains("block_multiple_of") ? try count("block_multiple_of", limit: limit) : 256
    guard step > 0 else {
      throw error("block_multiple_of", .invalid(value: "0", expected: "1 to \(limit)"))
    }
    return (width + step - 1) / step * step
  }
}

extension CheckpointNames {
  /// LFM2's names of what is not called as in Llama.
  fileprivate static let shortConvolutions = [
    "attn_norm": "operator_norm", "ffn_norm": "ffn_norm", "attn_output": "self_attn.out_proj",
    "attn_q_norm": "self_attn.q_layernorm", "attn_k_norm": "self_attn.k_layernorm",
    "shortconv.in_proj": "conv.in_proj", "shortconv.out_proj": "conv.out_proj",
    "shortconv.conv": "conv.conv",
  ]

  /// A tensor of a model that mixes short convolutions and attention.
  fileprivate func shortConvolutionTensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    if name.layer == nil, name.module == LFM2.outputNorm {
      return try files.tensor(named: "model.embedding_norm." + name.kind)
    }
    guard name.module == "shortconv.conv", name.kind == "weight", let source = self.name(name)
    else { return try tensor(name, in: files) }
    return try files.convolution(source)
  }
}
