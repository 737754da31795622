import ModelFiles

/// The first Gemma. GGUF files hold norm weights with the 1 that the model adds to them.
struct GemmaCheckpoint: CheckpointFamily {
  static let modelTypes = ["gemma"]
  static let architecture = Gemma.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    // The first files say "gelu", and mean its tanh approximation.
    try configuration.require(
      "hidden_act", among: ["gelu_pytorch_tanh", "gelu"], standard: "gelu_pytorch_tanh")
    if try configuration.optionalBool("use_bidirectional_attention") == true {
      throw configuration.unsupported("use_bidirectional_attention")
    }
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    let headDim = try configuration.optionalInt("head_dim") ?? 256
    metadata.set("attention.key_length", headDim)
    metadata.set("attention.value_length", headDim)
    try metadata.readRotary(configuration)
    self.metadata = metadata
    names = try CheckpointNames(configuration, CheckpointNames.dense)
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    try names.tensorWithWholeNorms(name, in: files)
  }
}
