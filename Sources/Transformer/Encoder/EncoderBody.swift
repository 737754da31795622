import Kernels

/// What an encoder's passes go through: its layers' weights in the form that some kernels take, and
/// the buffers that these work in.
protocol EncoderBody: AnyObject, Sendable {
  var batch: EncoderBatch { get }
  /// Takes the batch through the first `depth` layers. Every worker calls it.
  func run(_ worker: Worker, depth: Int)
  /// What the last pass gave. // (rows, width)
  var hidden: FloatBuffer { get }
}

/// What a token is before the first layer: its word, its position and the first of the kinds of text,
/// added up; and the norm behind them.
struct EncoderEmbeddings: Sendable {
  private let words: EmbeddingTable
  private let positions: EmbeddingTable
  private let kinds: EmbeddingTable
  let norm: LayerNormWeights
  private let width: Int

  init(
    prefix: String, _ configuration: EncoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    width = configuration.width
    words = try loader.embeddings(
      prefix + "word_embeddings.weight", rows: configuration.vocabularySize, width: width)
    positions = try loader.embeddings(
      prefix + "position_embeddings.weight", rows: configuration.maximumPositions, width: width)
    let name = prefix + "token_type_embeddings.weight"
    let shape = try loader.shape(of: name)
    kinds = try loader.embeddings(name, rows: max(1, shape.first ?? 1), width: width)
    norm = try LayerNormWeights(prefix: prefix + "LayerNorm", width: width, loader)
  }

  /// The sum for a row of the batch. // row, scratch (width)
  func add(
    row: Int, of batch: EncoderBatch, into x: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    words.copyRow(Int(batch.tokens[row]), into: x)
    positions.copyRow(Int(batch.positions[row]), into: scratch)
    VectorOperations.add(scratch, to: x, count: width, worker: .alone)
    kinds.copyRow(0, into: scratch)
    VectorOperations.add(scratch, to: x, count: width, worker: .alone)
  }
}
