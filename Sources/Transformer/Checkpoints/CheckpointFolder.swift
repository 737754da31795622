import ModelFiles

/// A model as Hugging Face's libraries save it: `config.json` beside one safetensors file, or
/// several with an index.
///
/// ```swift
/// let folder = try CheckpointFolder(path: "models/tiny-mixtral")
/// let decoder = try Decoder(checkpoint: folder, pool: ComputePool(threadCount: 2))
/// ```
package struct CheckpointFolder: Sendable {
  package let path: String
  /// The `general.architecture` that the model's GGUF files have.
  package let architecture: String
  package let metadata: CheckpointMetadata
  package let tensors: CheckpointTensors

  /// The families whose checkpoints this build reads.
  static let families: [any CheckpointFamily.Type] = [
    DeepSeekCheckpoint.self,
    Ernie45Checkpoint.self,
    Ernie45MoECheckpoint.self,
    GLM4Checkpoint.self,
    GLM4MoECheckpoint.self,
    GPTOSSCheckpoint.self,
    GemmaCheckpoint.self,
    Gemma2Checkpoint.self,
    Gemma3Checkpoint.self,
    Gemma4Checkpoint.self,
    GraniteCheckpoint.self,
    GraniteHybridCheckpoint.self,
    GraniteMoECheckpoint.self,
    LFM2Checkpoint.self,
    LFM2MoECheckpoint.self,
    LlamaCheckpoint.self,
    Mamba2Checkpoint.self,
    Mistral3Checkpoint.self,
    MixtralCheckpoint.self,
    NemotronHCheckpoint.self,
    OLMo2Checkpoint.self,
    OLMoECheckpoint.self,
    Phi3Checkpoint.self,
    Qwen2Checkpoint.self,
    Qwen2MoECheckpoint.self,
    Qwen35Checkpoint.self,
    Qwen35MoECheckpoint.self,
    Qwen3Checkpoint.self,
    Qwen3MoECheckpoint.self,
    Qwen3NextCheckpoint.self,
    Qwen3VLCheckpoint.self,
    Qwen3VLMoECheckpoint.self,
    SmolLM3Checkpoint.self,
  ]

  /// Reads the configuration and the files' headers; no weight is touched.
  package init(path: String) throws(ModelFileError) {
    self.path = path
    var configuration = try CheckpointConfiguration(path: path + "/config.json")
    // Of a model that sees or hears too, the part that reads text.
    if let text = try configuration.optionalObject("text_config") {
      // How much of an image the decoder's first layers are given stands with the part that sees.
      let key = "deepstack_visual_indexes"
      let deep = try configuration.optionalObject("vision_config")?.optionalInts(key)
      configuration = text.filled(
        with: deep.map { [key: .array($0.map { .int($0) })] } ?? [:])
    }
    guard let type = try configuration.optionalString("model_type") else {
      throw configuration.error("model_type", .missing)
    }
    guard let family = Self.families.first(where: { $0.modelTypes.contains(type) }) else {
      throw configuration.error("model_type", .unsupported(value: type))
    }
    let reader = try family.init(configuration)
    architecture = family.architecture
    metadata = reader.metadata
    tensors = CheckpointTensors(files: try CheckpointFiles(folder: path), family: reader)
  }
}

extension Decoder {
  /// Loads a model from a checkpoint's folder.
  package convenience init(
    checkpoint: CheckpointFolder, pool: ComputePool, options: DecoderOptions = DecoderOptions()
  ) throws(ModelError) {
    try self.init(
      architecture: checkpoint.architecture, metadata: checkpoint.metadata,
      tensors: checkpoint.tensors, pool: pool, options: options)
    checkpoint.tensors.dropPages()
  }
}
