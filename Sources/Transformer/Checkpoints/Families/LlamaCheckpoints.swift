import ModelFiles

/// Llama and Mistral. GGUF files hold queries and keys in another order of rows.
struct LlamaCheckpoint: PermutedCheckpoint {
  static let modelTypes = ["llama", "mistral"]
  static let architecture = Llama.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let heads: (query: Int, key: Int)

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration)
    if let window = try configuration.optionalInt("sliding_window"),
      window < (try configuration.int("max_position_embeddings"))
    {
      throw configuration.unsupported("sliding_window")
    }
    self.metadata = metadata
    names = try CheckpointNames(configuration, CheckpointNames.dense)
    heads = try configuration.headCounts()
  }
}

/// SmolLM3: Llama, of whose layers every fourth knows no positions.
struct SmolLM3Checkpoint: PermutedCheckpoint {
  static let modelTypes = ["smollm3"]
  static let architecture = SmolLM3.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let heads: (query: Int, key: Int)

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    if try configuration.optionalBool("use_sliding_window") == true {
      throw configuration.unsupported("use_sliding_window")
    }
    if let rotated = try configuration.optionalInts("no_rope_layers") {
      // The name says the contrary of what the numbers do: 1 is for a layer that rotates.
      for (index, flag) in rotated.enumerated()
      where (flag == 0) != (index + 1).isMultiple(of: SmolLM3.unrotatedPattern) {
        throw configuration.unsupported("no_rope_layers")
      }
    } else if let step = try configuration.optionalInt("no_rope_layer_interval"),
      step != SmolLM3.unrotatedPattern
    {
      throw configuration.unsupported("no_rope_layer_interval")
    }
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration)
    self.metadata = metadata
    names = try CheckpointNames(configuration, CheckpointNames.dense)
    heads = try configuration.headCounts()
  }
}

/// Ministral 3: Llama with YaRN, and queries that grow with their position.
struct Mistral3Checkpoint: PermutedCheckpoint {
  static let modelTypes = ["ministral3"]
  static let architecture = Mistral3.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let heads: (query: Int, key: Int)

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    if configuration.contains("sliding_window") {
      throw configuration.unsupported("sliding_window")
    }
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration)
    metadata.set(
      "attention.temperature_scale",
      try configuration.optionalObject("rope_parameters")?.optionalDouble("llama_4_scaling_beta"))
    self.metadata = metadata
    names = try CheckpointNames(configuration, CheckpointNames.dense)
    heads = try configuration.headCounts()
  }
}

/// Granite, dense; queries and keys in Llama's order.
struct GraniteCheckpoint: PermutedCheckpoint {
  static let modelTypes = ["granite"]
  static let architecture = Granite.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames
  let heads: (query: Int, key: Int)

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    try configuration.require("hidden_act", among: ["silu", "swish"], standard: "silu")
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    try metadata.readRotary(configuration)
    try metadata.readGraniteFactors(configuration)
    self.metadata = metadata
    heads = try configuration.headCounts()
    names = try CheckpointNames(configuration, CheckpointNames.dense)
  }
}

extension CheckpointMetadata {
  /// What Granite multiplies things by; the last is what logits are divided by.
  mutating func readGraniteFactors(
    _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    set("attention.scale", try configuration.optionalDouble("attention_multiplier"))
    set("embedding_scale", try configuration.optionalDouble("embedding_multiplier"))
    set("residual_scale", try configuration.optionalDouble("residual_multiplier"))
    set("logit_scale", try configuration.optionalDouble("logits_scaling"))
  }
}

extension CheckpointConfiguration {
  /// Heads of queries, and of keys and values; tensors are put in order by them before the whole
  /// configuration is looked at.
  func headCounts() throws(ModelFileError) -> (query: Int, key: Int) {
    let limit = DecoderConfiguration.Limit.headCount
    let query = try count("num_attention_heads", limit: limit)
    guard contains("num_key_value_heads") else { return (query, query) }
    return (query, try count("num_key_value_heads", limit: limit))
  }
}
