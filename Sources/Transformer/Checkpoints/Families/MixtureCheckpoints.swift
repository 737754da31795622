import ModelFiles

/// Mixtral: Llama's attention, and experts whose matrices are called w1 (gate), w2 (down) and w3
/// (up).
struct MixtralCheckpoint: CheckpointFamily {
  static let modelTypes = ["mixtral"]
  static let architecture = Llama.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let heads: (query: Int, key: Int)
  private let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readMixture(configuration, normalises: true)
    if configuration.contains("sliding_window") {
      throw configuration.unsupported("sliding_window")
    }
    self.metadata = metadata
    expertCount = try configuration.expertCount()
    heads = try configuration.headCounts()
    names = try CheckpointNames(configuration, ["ffn_gate_inp": "block_sparse_moe.gate"])
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    if let layer = name.layer, name.module.hasSuffix("_exps") {
      return try files.experts(
        name, prefix: "model.layers.\(layer).block_sparse_moe.experts.", count: expertCount,
        matrices: CheckpointNames.numberedMatrices)
    }
    return try names.tensor(name, in: files, permutedHeads: heads)
  }
}

extension CheckpointNames {
  /// Names of an expert's matrices where they are numbered (Mixtral, LFM2).
  static let numberedMatrices = [
    "ffn_gate_exps": "w1", "ffn_up_exps": "w3", "ffn_down_exps": "w2",
  ]
}

/// A family with a tensor for each matrix of each expert, under `mlp.experts.`, and nothing to permute.
private protocol SeparateExpertsCheckpoint: CheckpointFamily {
  var names: CheckpointNames { get }
  var expertCount: Int { get }
}

extension SeparateExpertsCheckpoint {
  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    if let layer = name.layer, name.module.hasSuffix("_exps") {
      return try files.experts(
        name, prefix: "model.layers.\(layer).mlp.experts.", count: expertCount)
    }
    return try names.tensor(name, in: files)
  }
}

/// OLMoE.
struct OLMoECheckpoint: SeparateExpertsCheckpoint {
  static let modelTypes = ["olmoe"]
  static let architecture = OLMoE.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readMixture(configuration, normalises: false)
    if configuration.contains("clip_qkv") { throw configuration.unsupported("clip_qkv") }
    self.metadata = metadata
    expertCount = try configuration.expertCount()
    names = try CheckpointNames(configuration, CheckpointNames.expertsWithHeadNorms)
  }
}

/// Qwen1.5-MoE and Qwen2-MoE, whose shared expert has a gate of its own.
struct Qwen2MoECheckpoint: SeparateExpertsCheckpoint {
  static let modelTypes = ["qwen2_moe"]
  static let architecture = Qwen2MoE.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readMixture(configuration, normalises: false)
    try configuration.refuseUnevenLayers()
    metadata.set(
      "expert_shared_feed_forward_length",
      try configuration.int("shared_expert_intermediate_size"))
    self.metadata = metadata
    expertCount = try configuration.expertCount()
    names = try CheckpointNames(configuration, CheckpointNames.sharedExpert)
  }
}

extension CheckpointNames {
  /// Qwen's names of the gate, and of the expert that every token meets.
  static let sharedExpert = [
    "ffn_gate_inp": "mlp.gate", "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
    "ffn_gate_shexp": "mlp.shared_expert.gate_proj", "ffn_up_shexp": "mlp.shared_expert.up_proj",
    "ffn_down_shexp": "mlp.shared_expert.down_proj",
  ]
}

/// Qwen3-MoE.
struct Qwen3MoECheckpoint: SeparateExpertsCheckpoint {
  static let modelTypes = ["qwen3_moe"]
  static let architecture = Qwen3MoE.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let expertCount: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readMixture(configuration, normalises: false)
    try configuration.refuseUnevenLayers()
    self.metadata = metadata
    expertCount = try configuration.expertCount()
    names = try CheckpointNames(configuration, CheckpointNames.expertsWithHeadNorms)
  }
}

/// Granite-MoE: experts in two tensors a layer, gate above up; queries and keys in Llama's order.
struct GraniteMoECheckpoint: CheckpointFamily {
  static let modelTypes = ["granitemoe"]
  static let architecture = GraniteMoE.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let heads: (query: Int, key: Int)

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readMixture(configuration, normalises: true)
    try metadata.readGraniteFactors(configuration)
    self.metadata = metadata
    heads = try configuration.headCounts()
    names = try CheckpointNames(configuration, ["ffn_gate_inp": "block_sparse_moe.router.layer"])
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let layer = name.layer, name.module.hasSuffix("_exps") else {
      return try names.tensor(name, in: files, permutedHeads: heads)
    }
    return try files.graniteExperts(
      name, prefix: "model.layers.\(layer).block_sparse_moe.")
  }
}

extension CheckpointFiles {
  /// Granite's experts' matrices of one kind as one tensor.
  func graniteExperts(
    _ name: TensorName, prefix: String
  ) throws(ModelFileError) -> TensorView? {
    guard name.kind == "weight" else { return nil }
    let both = prefix + "input_linear.weight"
    switch name.module {
    case "ffn_gate_exps": return try rows(of: both, first: { _ in 0 }, count: { $0 / 2 })
    case "ffn_up_exps": return try rows(of: both, first: { $0 / 2 }, count: { $0 / 2 })
    case "ffn_down_exps": return try tensor(named: prefix + "output_linear.weight")
    default: return nil
    }
  }
}

extension CheckpointMetadata {
  /// What the families with softmax gates share.
  /// - Parameter rotatesParts: Whether the family may rotate a part of each head only.
  mutating func readMixture(
    _ configuration: CheckpointConfiguration, normalises: Bool, rotatesParts: Bool = false
  ) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    try readRotary(configuration, rotatesParts: rotatesParts)
    set("expert_count", try configuration.expertCount())
    set("expert_used_count", try configuration.int("num_experts_per_tok"))
    var width = try configuration.optionalInt("moe_intermediate_size")
    if width == nil { width = try configuration.int("intermediate_size") }
    set("expert_feed_forward_length", width)
    set("expert_weights_norm", try configuration.optionalBool("norm_topk_prob") ?? normalises)
  }
}

extension CheckpointConfiguration {
  /// Routed experts. Families and versions of the library differ in what they call their number.
  func expertCount() throws(ModelFileError) -> Int {
    let key = contains("num_experts") ? "num_experts" : "num_local_experts"
    return try count(key, limit: DecoderConfiguration.Limit.expertCount)
  }

  /// Throws where some layers are dense (Qwen), which GGUF files can't say either.
  func refuseUnevenLayers() throws(ModelFileError) {
    if let step = try optionalInt("decoder_sparse_step"), step != 1 {
      throw unsupported("decoder_sparse_step")
    }
    if try optionalBool("use_sliding_window") == true { throw unsupported("use_sliding_window") }
    if hasItems("mlp_only_layers") { throw unsupported("mlp_only_layers") }
  }
}
