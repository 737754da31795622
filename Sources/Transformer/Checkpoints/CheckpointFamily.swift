import ModelFiles

/// How a family's Hugging Face checkpoint becomes what its GGUF files hold.
///
/// Adding a family is one type of this protocol and its line in `CheckpointFolder.families`.
protocol CheckpointFamily: Sendable {
  /// The values of `model_type` that it reads.
  static var modelTypes: [String] { get }
  /// The `general.architecture` of its GGUF files.
  static var architecture: String { get }

  /// Reads what `tensor` and `metadata` need, and refuses what the family can't run.
  init(_ configuration: CheckpointConfiguration) throws(ModelFileError)

  /// The configuration under GGUF's keys.
  var metadata: CheckpointMetadata { get }

  /// A tensor as GGUF files have it, or nil where the checkpoint has none.
  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView?
}

/// A family whose tensors differ from GGUF's in their names alone.
protocol NamedCheckpoint: CheckpointFamily {
  var names: CheckpointNames { get }
}

extension NamedCheckpoint {
  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.tensor(name, in: files)
  }
}

/// A family that differs from GGUF in the order of queries' and keys' rows too, as Llama does.
protocol PermutedCheckpoint: CheckpointFamily {
  var names: CheckpointNames { get }
  var heads: (query: Int, key: Int) { get }
}

extension PermutedCheckpoint {
  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.tensor(name, in: files, permutedHeads: heads)
  }
}

extension CheckpointMetadata {
  /// The keys that all families share.
  init(
    architecture: String, _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    self.init(architecture: architecture)
    if configuration.contains("quantization_config"), architecture != GPTOSS.architecture {
      throw configuration.unsupported("quantization_config")
    }
    set("context_length", try configuration.int("max_position_embeddings"))
    set("embedding_length", try configuration.int("hidden_size"))
    set("block_count", try configuration.int("num_hidden_layers"))
    set("feed_forward_length", try configuration.int("intermediate_size"))
    let heads = try configuration.int("num_attention_heads")
    set("attention.head_count", heads)
    set(
      "attention.head_count_kv",
      try configuration.optionalInt("num_key_value_heads") ?? heads)
    set("attention.layer_norm_rms_epsilon", try configuration.double("rms_norm_eps"))
    if let headDim = try configuration.optionalInt("head_dim") {
      set("attention.key_length", headDim)
      set("attention.value_length", headDim)
    }
  }

  /// The rotary base and scaling, in the form of today (`rope_parameters`) or of before
  /// (`rope_theta` and `rope_scaling`).
  /// - Parameter rotatesParts: Whether the family may rotate a part of each head only.
  mutating func readRotary(
    _ configuration: CheckpointConfiguration, parameters: CheckpointConfiguration? = nil,
    standardBase: Double = 10_000, rotatesParts: Bool = false
  ) throws(ModelFileError) {
    var scaling = parameters
    if scaling == nil { scaling = try configuration.optionalObject("rope_parameters") }
    var base = try scaling?.optionalDouble("rope_theta")
    if base == nil { base = try configuration.optionalDouble("rope_theta") }
    set("rope.freq_base", base ?? standardBase)
    if scaling == nil { scaling = try configuration.optionalObject("rope_scaling") }
    for place in [scaling, configuration] {
      guard let place, let part = try place.optionalDouble("partial_rotary_factor"), part != 1
      else { continue }
      guard rotatesParts, part > 0, part < 1, let headDim = try configuration.headDim() else {
        throw place.unsupported("partial_rotary_factor")
      }
      set("rope.dimension_count", Int(Double(headDim) * part))
      break
    }
    guard let scaling else { return }
    set("rope.dimension_sections", try scaling.optionalInts("mrope_section"))
    let key = scaling.contains("rope_type") ? "rope_type" : "type"
    switch try scaling.optionalString(key) ?? "default" {
    // LongRoPE's factors are tensors in GGUF files; see the family that has them.
    case "longrope" where rotatesParts, "su" where rotatesParts:
      set("rope.scaling.type", "longrope")
    case "default", "none": return
    case "linear":
      set("rope.scaling.type", "linear")
      set("rope.scaling.factor", try scaling.double("factor"))
    case "llama3":
      set("rope.scaling.type", "llama3")
      set("rope.scaling.factor", try scaling.double("factor"))
      set("rope.scaling.low_freq_factor", try scaling.double("low_freq_factor"))
      set("rope.scaling.high_freq_factor", try scaling.double("high_freq_factor"))
      set(
        "rope.scaling.original_context_length",
        try scaling.int("original_max_position_embeddings"))
    case "yarn": try readYaRN(scaling)
    default: throw scaling.unsupported(key)
    }
  }

  /// Pairs of each rotary axis, where a configuration leaves them out and the family's class has them.
  mutating func setAxes(standard: [Int]) {
    if self["rope.dimension_sections"] == nil { set("rope.dimension_sections", standard) }
  }

  private mutating func readYaRN(_ scaling: CheckpointConfiguration) throws(ModelFileError) {
    let factor = try scaling.double("factor")
    set("rope.scaling.type", "yarn")
    set("rope.scaling.factor", factor)
    set(
      "rope.scaling.original_context_length",
      try scaling.int("original_max_position_embeddings"))
    set("rope.scaling.yarn_beta_fast", try scaling.optionalDouble("beta_fast"))
    set("rope.scaling.yarn_beta_slow", try scaling.optionalDouble("beta_slow"))
    set("rope.scaling.yarn_truncate", try scaling.optionalBool("truncate") ?? true)
    let all = try scaling.optionalDouble("mscale_all_dim") ?? 0
    let one = try scaling.optionalDouble("mscale") ?? 0
    if all != 0 { set("rope.scaling.yarn_log_multiplier", 0.1 * all) }
    var magnitude = try scaling.optionalDouble("attention_factor")
    if magnitude == nil {
      magnitude =
        all != 0 && one != 0
        ? YaRNScaling.magnitude(factor: factor, weight: one)
          / YaRNScaling.magnitude(factor: factor, weight: all)
        : YaRNScaling.magnitude(factor: factor)
    }
    set("rope.scaling.yarn_attn_factor", magnitude)
  }
}

/// What every family's checkpoint has under the same names.
struct CheckpointNames: Sendable {
  /// Names of a layer's modules in the checkpoint, by those in GGUF files.
  var modules: [String: String]
  /// Whether the output head is the embedding.
  let isTied: Bool

  init(
    _ configuration: CheckpointConfiguration, _ modules: [String: String]
  ) throws(ModelFileError) {
    self.modules = Self.attention.merging(modules) { $1 }
    isTied = try configuration.optionalBool("tie_word_embeddings") ?? false
  }

  private static let attention = [
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
  ]
  static let dense = [
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
  ]

  /// The checkpoint's name of a tensor that is taken over as it is; nil for others.
  func name(_ name: TensorName) -> String? {
    guard let layer = name.layer else {
      switch name.module {
      case "token_embd": return "model.embed_tokens." + name.kind
      case "output_norm": return "model.norm." + name.kind
      case "output": return isTied ? nil : "lm_head." + name.kind
      default: return nil
      }
    }
    return modules[name.module].map { "model.layers.\(layer).\($0).\(name.kind)" }
  }

  /// A tensor as it is, except that norm weights get the 1 that Gemma adds to them.
  func tensorWithWholeNorms(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let source = self.name(name) else { return nil }
    return name.module.hasSuffix("norm")
      ? try files.plusOne(source) : try files.tensor(named: source)
  }

  /// A tensor as it is, except that queries' and keys' rows are put in GGUF's order where
  /// `permutedHeads` are given.
  func tensor(
    _ name: TensorName, in files: CheckpointFiles, permutedHeads: (query: Int, key: Int)? = nil
  ) throws(ModelFileError) -> TensorView? {
    guard let source = self.name(name) else { return nil }
    if let permutedHeads {
      if name.module == "attn_q" {
        return try files.permuted(source, heads: permutedHeads.query)
      }
      if name.module == "attn_k" { return try files.permuted(source, heads: permutedHeads.key) }
    }
    return try files.tensor(named: source)
  }
}
