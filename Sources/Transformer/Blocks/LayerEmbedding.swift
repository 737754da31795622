import Kernels

/// What a token means to one layer by itself, beside its embedding in the residual stream (Gemma 3n and 4).
///
/// A token has a few numbers for each layer, from a table and from its embedding. They gate what the layer reads
/// of the residual stream, and the result is added to it:
/// `norm(output(gelu(gate(residual)) * (norm(projection(embedding)) + table[token]) / sqrt(2)))`.
///
/// The table is a large part of the model, and a token needs one row of it: it stays in the file. What is read
/// of a row is made when its layer comes, so that no pass holds the rows of all layers.
struct LayerEmbedding: Sendable {
  private let layer: Int
  private let table: EmbeddingTable  // (vocabulary, layers * own)
  private let projection: Projection  // (own, width)
  private let projectionNorm: FloatBuffer  // (own)
  private let gate: Projection  // (own, width)
  private let output: Projection  // (width, own)
  /// The norm of what is added to the residual stream. // (width)
  let postNorm: FloatBuffer
  /// What the projection's norm adds to a mean square.
  private let epsilon: Float
  private let function: ActivationFunction

  /// - Parameter own: Numbers that a token has for a layer.
  init(
    _ layer: Int, prefix: String, own: Int, _ configuration: DecoderConfiguration,
    _ loader: WeightLoader
  ) throws(ModelError) {
    self.layer = layer
    let width = configuration.width
    let all = own * configuration.layers.count
    table = try loader.embeddings(
      "per_layer_token_embd.weight", rows: configuration.vocabularySize, width: all, part: own)
    projection = try loader.projection(
      "per_layer_model_proj", rows: layer * own..<(layer + 1) * own, of: all, inputs: width)
    projectionNorm = try loader.vector("per_layer_proj_norm.weight", count: own)
    // The sum with the table's numbers is over the root of 2, and they are times the root of their count.
    VectorOperations.scale(projectionNorm.pointer, by: Float(0.5).squareRoot(), count: own)
    // The projection is over the root of its inputs: to a norm that makes no difference but here.
    epsilon = configuration.normEpsilon * Float(width)
    gate = try loader.projection(prefix + "inp_gate", outputs: own, inputs: width)
    output = try loader.projection(prefix + "proj", outputs: width, inputs: own)
    postNorm = try loader.vector(prefix + "post_norm.weight", count: width)
    function = configuration.activation.function
  }

  /// Bytes that the matrices take.
  var byteCount: Int {
    projection.matrix.byteCount + gate.matrix.byteCount + output.matrix.byteCount
  }

  /// Writes what is to be normalised and added to the residual stream, which stands in `pass.normed` as it is,
  /// to `output` // (rows, width). Called by every worker at once; a barrier stands before it and after it.
  func apply(_ pass: DecoderPass, output destination: UnsafeMutablePointer<Float>, worker: Worker) {
    guard let buffers = pass.layerEmbeddings else { return }
    let rows = pass.rowCount
    let own = buffers.input.width
    gate.apply(pass.normed, rows: rows, into: buffers.gate.pointer, stride: own, worker: worker)
    projection.apply(
      buffers.embedded, rows: rows, into: buffers.input.pointer, stride: own, worker: worker)
    worker.barrier()
    let meaning = buffers.rows.row(worker.index)
    let columns = layer * own..<(layer + 1) * own
    let scale = (Float(own) / 2).squareRoot()
    for row in worker.range(of: rows) {
      let input = buffers.input.row(row)
      VectorOperations.rmsNorm(
        input, weight: projectionNorm.pointer, epsilon: epsilon, into: input, rows: 1, width: own,
        worker: .alone)
      table.copyRow(Int(pass.tokens[row]), columns: columns, into: meaning)
      VectorOperations.add(meaning, times: scale, to: input, count: own)
      buffers.gated.gated(
        buffers.gate.row(row), input, stride: own, function: function, rows: row..<row + 1,
        worker: .alone)
    }
    worker.barrier()
    output.apply(
      buffers.gated, rows: rows, into: destination, stride: output.matrix.outputs, worker: worker)
  }
}

/// The buffers of a pass that only embeddings of layers need.
struct LayerEmbeddingBuffers: Sendable {
  /// The tokens' embeddings, as they enter the first layer. // (rows, width)
  let embedded: Activations
  let gate: FloatBuffer  // (rows, own)
  let input: FloatBuffer  // (rows, own)
  let gated: Activations  // (rows, own)
  /// A row of the table, a worker. // (workers, own)
  let rows: FloatBuffer

  init(
    width own: Int, _ configuration: DecoderConfiguration, precision: WeightMatrix.Precision,
    rows: Int, workers: Int
  ) throws(KernelError) {
    embedded = try Activations(maxRows: rows, width: configuration.width, precision: precision)
    gate = try FloatBuffer(rows: rows, width: own)
    input = try FloatBuffer(rows: rows, width: own)
    gated = try Activations(maxRows: rows, width: own, precision: precision)
    self.rows = try FloatBuffer(rows: workers, width: (own + 15) / 16 * 16)
  }
}
