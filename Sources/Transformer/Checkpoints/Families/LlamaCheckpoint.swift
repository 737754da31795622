import ModelFiles

/// Llama and Mistral. GGUF files hold queries and keys in another order of rows.
struct LlamaCheckpoint: CheckpointFamily {
  static let modelTypes = ["llama", "mistral"]
  static let architecture = Llama.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let heads: (query: Int, key: Int)

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

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.tensor(name, in: files, permutedHeads: heads)
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
