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

  /// What `config.json` calls sizes that go by several names.
  struct SizeKeys: Sendable {
    var layerCount = "num_hidden_layers"
    var headCount = "num_attention_heads"
    /// What counts the positions that are learned, where no size of images does.
    var positionCount: String?
  }

  /// How its patches become embeddings, and its pixels tiles.
  typealias Ends = (VisionConfiguration.Connector, ImagePreprocessing)

  /// `clip.projector_type` of its mmproj files.
  let projector: String
  /// The values of `model_type` in its checkpoints.
  let modelTypes: [String]
  let standards: Sizes
  var sizeKeys = SizeKeys()
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
  /// The base of rotary positions of patches; nil where they have none.
  var rotaryBase: Double?
  /// Whether the decoder wants to know how an image's rows lie in it.
  var rowsLieInGrid = false
  /// A checkpoint's names of tensors that are no layer's, and of a layer's modules, by those in mmproj files.
  var names = VisionNames.siglip
  /// Reads `config.json` and the image processor's settings; of the transformer, its patches along a side.
  let readCheckpoint:
    @Sendable (CheckpointConfiguration, CheckpointConfiguration, _ side: Int)
      throws(ModelFileError) -> Ends
  /// Reads an mmproj file's keys. The preprocessing's mean and deviation are read by others.
  let readMetadata: @Sendable (ArchitectureMetadata, _ imageSize: Int) throws(ModelError) -> Ends
  /// What stands for an image of this grid, each of whose tiles becomes so many rows.
  let layout: @Sendable (TileGrid, _ rows: Int) -> ImageLayout

  static let all: [VisionFamily] = [.idefics3, .gemma3, .qwen3VL]
}

/// A checkpoint's names of a transformer's tensors, by those in mmproj files.
struct VisionNames: Sendable {
  /// What stands before a layer's number.
  let layers: String
  let modules: [String: String]
  /// The same of what is made of some layers' outputs.
  var taps = ""
  var tapModules: [String: String] = [:]
  let others: [String: String]

  static let siglip = VisionNames(
    layers: "encoder.layers.",
    modules: [
      "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
      "attn_out": "self_attn.out_proj", "ln1": "layer_norm1", "ln2": "layer_norm2",
      "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2",
    ],
    others: [
      "v.patch_embd.weight": "embeddings.patch_embedding.weight",
      "v.patch_embd.bias": "embeddings.patch_embedding.bias",
      "v.position_embd.weight": "embeddings.position_embedding.weight",
      "v.post_ln.weight": "post_layernorm.weight", "v.post_ln.bias": "post_layernorm.bias",
    ])
}

extension VisionFamily: Equatable {
  static func == (a: VisionFamily, b: VisionFamily) -> Bool { a.projector == b.projector }
}
