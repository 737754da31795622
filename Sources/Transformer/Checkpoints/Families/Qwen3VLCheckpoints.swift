import ModelFiles

/// Qwen3-VL, dense, the part that reads text.
struct Qwen3VLCheckpoint: NamedCheckpoint {
  static let modelTypes = ["qwen3_vl_text"]
  static let architecture = Qwen3VL.architecture

  let metadata: CheckpointMetadata
  let names: CheckpointNames

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    var metadata = try CheckpointMetadata(qwen: Self.architecture, configuration)
    try metadata.readImageRows(configuration)
    self.metadata = metadata
    names = try CheckpointNames(configuration, CheckpointNames.denseWithHeadNorms)
  }
}

/// Its mixtures, whose experts' matrices are in two tensors a layer: the other way round than all others in the published
/// files, gate and up beside each other; and as all others in what transformers 5 saves.
struct Qwen3VLMoECheckpoint: CheckpointFamily {
  static let modelTypes = ["qwen3_vl_moe_text"]
  static let architecture = Qwen3VLMoE.architecture

  let metadata: CheckpointMetadata
  private let names: CheckpointNames
  private let width: Int
  private let inner: Int

  init(_ configuration: CheckpointConfiguration) throws(ModelFileError) {
    var metadata = try CheckpointMetadata(architecture: Self.architecture, configuration)
    width = try configuration.int("hidden_size")
    inner = try configuration.int("moe_intermediate_size")
    try metadata.readMixture(configuration, normalises: true)
    try configuration.refuseUnevenLayers()
    try metadata.readImageRows(configuration)
    self.metadata = metadata
    names = try CheckpointNames(configuration, CheckpointNames.expertsWithHeadNorms)
  }

  func tensor(
    _ name: TensorName, in files: CheckpointFiles
  ) throws(ModelFileError) -> TensorView? {
    guard let layer = name.layer, name.module.hasSuffix("_exps") else {
      return try names.tensor(name, in: files)
    }
    guard name.kind == "weight" else { return nil }
    let prefix = "model.layers.\(layer).mlp.experts."
    let (both, down) = (prefix + "gate_up_proj", prefix + "down_proj")
    let own: String
    switch name.module {
    case "ffn_gate_up_exps": own = both
    case "ffn_down_exps": own = down
    default: return nil
    }
    // Of the two at most one is square, and the same either way round.
    let areTurned =
      width != inner
      ? try files.tensor(named: down)?.info.shape.last == width
      : try files.tensor(named: both)?.info.shape.last == 2 * inner
    return areTurned ? try files.transposed(own) : try files.tensor(named: own)
  }
}

extension CheckpointMetadata {
  /// How images' rows are placed, and how many layers are given more of them; what files leave out is as in the class.
  fileprivate mutating func readImageRows(
    _ configuration: CheckpointConfiguration
  ) throws(ModelFileError) {
    setAxes(standard: [24, 20, 20])
    let deep = try configuration.optionalInts("deepstack_visual_indexes") ?? [8, 16, 24]
    set("n_deepstack_layers", deep.count)
  }
}
