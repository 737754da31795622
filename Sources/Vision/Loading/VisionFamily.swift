import ModelFiles
import Transformer

/// What is particular to a family of models that see: what its files call things, how images come in, and what stands
/// around their embeddings in a prompt. The transformer is the same in all.
struct VisionFamily: Sendable {
  /// Sizes that `config.json` may leave out: those of the family's class in transformers.
  struct Sizes: Sendable {
    var width: Int
    var feedForwardWidth: Int
    var layerCount = 12
    var headCount: Int
    var imageSize = 224
    var patchSize: Int
  }

  /// How its patches become embeddings, and its pixels tiles.
  typealias Ends = (VisionConfiguration.Connector, ImagePreprocessing)

  /// `clip.projector_type` of its mmproj files.
  let projector: String
  /// The values of `model_type` in its checkpoints.
  let modelTypes: [String]
  let standards: Sizes
  /// What may stand before a checkpoint's names of the transformer and of the connector; the first that is there counts.
  let visionPrefixes: [String]
  let connectorPrefixes: [String]
  /// The checkpoint's names of the connector's tensors, by those in mmproj files.
  let connectorNames: [String: String]
  /// Norms among them that lack the 1 which the model adds.
  let shiftedNorms: Set<String>
  /// What chat templates have for an image, in whose place its pieces go.
  let placeholder: String
  /// The token that its tokenizer has for a row of an image.
  let rowToken: String
  /// Whether in the decoder each row of an image sees all of them, and not those before it alone.
  var rowsSeeAll = false
  /// Reads `config.json` and the image processor's settings; of the transformer, its patches along a side.
  let readCheckpoint:
    @Sendable (CheckpointConfiguration, CheckpointConfiguration, _ side: Int)
      throws(ModelFileError) -> Ends
  /// Reads an mmproj file's keys. The preprocessing's mean and deviation are read by others.
  let readMetadata: @Sendable (ArchitectureMetadata, _ imageSize: Int) throws(ModelError) -> Ends
  /// What stands for an image of this grid, each of whose tiles becomes so many rows.
  let layout: @Sendable (TileGrid, _ rows: Int) -> ImageLayout

  static let all: [VisionFamily] = [.idefics3, .gemma3]
}

extension VisionFamily: Equatable {
  static func == (a: VisionFamily, b: VisionFamily) -> Bool { a.projector == b.projector }
}
