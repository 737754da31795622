import Kernels

/// Grouped-query attention with rotary positions over the paged cache.
package struct AttentionBlock: SelfAttention {
  private let layer: Int
  private let query: Projection
  private let key: Projection
  private let value: Projection
  private let output: Projection
  private let configuration: AttentionShape
  /// Norm weights of queries and keys; nil where the family has none. Of the width of a head, each
  /// head is normalised by itself; of the width of all heads, these together.
  var queryNorm: FloatBuffer?
  var keyNorm: FloatBuffer?
  /// Scores of a position without a value that every row sees; nil where the family has none.
  /// // (heads)
  var sinks: FloatBuffer?

  /// The sizes that the inner loop needs.
  private struct AttentionShape {
    let heads: Int
    let keyValueHeads: Int
    let headDim: Int
    let epsilon: Float
    let queryGrowth: QueryGrowth?
    var queryWidth: Int { heads * headDim }
    var keyValueWidth: Int { keyValueHeads * headDim }
  }

  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    self.layer = layer
    self.configuration = AttentionShape(
      heads: configuration.headCount, keyValueHeads: configuration.keyValueHeadCount,
      headDim: configuration.headDim, epsilon: configuration.normEpsilon,
      queryGrowth: configuration.queryGrowth)
    let width = configuration.width
    let queryWidth = configuration.queryWidth
    let keyValueWidth = configuration.keyValueWidth
    if loader.contains(prefix + "attn_qkv.weight") {
      let parts = try loader.projections(
        prefix + "attn_qkv", outputs: [queryWidth, keyValueWidth, keyValueWidth], inputs: width)
      (query, key, value) = (parts[0], parts[1], parts[2])
    } else {
      query = try loader.projection(prefix + "attn_q", outputs: queryWidth, inputs: width)
      key = try loader.projection(prefix + "attn_k", outputs: keyValueWidth, inputs: width)
      value = try loader.projection(prefix + "attn_v", outputs: keyValueWidth, inputs: width)
    }
    output = try loader.projection(prefix + "attn_output", outputs: width, inputs: queryWidth)
  }

  /// A block with a norm on each head's query and key.
  static func withHeadNorms(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) -> AttentionBlock {
    var block = try AttentionBlock(layer, prefix: prefix, configuration, loader)
    try block.loadNorms(
      prefix: prefix, queryCount: configuration.headDim, keyCount: configuration.headDim, loader)
    return block
  }

  /// Reads the norms of queries and keys: of each head, or of all heads together.
  mutating func loadNorms(
    prefix: String, queryCount: Int, keyCount: Int, _ loader: WeightLoader
  ) throws(ModelError) {
    queryNorm = try loader.vector(prefix + "attn_q_norm.weight", count: queryCount)
    keyNorm = try loader.vector(prefix + "attn_k_norm.weight", count: keyCount)
  }

  /// Bytes that the block's matrices take.
  package var byteCount: Int {
    query.matrix.byteCount + key.matrix.byteCount + value.matrix.byteCount
      + output.matrix.byteCount
  }

  package func projection(_ module: AdaptedModule) -> Projection? {
    switch module {
    case .query: query
    case .key: key
    case .value: value
    case .output: output
    default: nil
    }
  }

  package func apply(
    _ pass: DecoderPass, output destination: UnsafeMutablePointer<Float>, accumulate: Bool,
    worker: Worker
  ) {
    let rows = pass.rowCount
    let shape = configuration
    query.apply(
      pass.normed, rows: rows, into: pass.query.pointer, stride: shape.queryWidth, worker: worker)
    key.apply(
      pass.normed, rows: rows, into: pass.key.pointer, stride: shape.keyValueWidth, worker: worker)
    value.apply(
      pass.normed, rows: rows, into: pass.value.pointer, stride: shape.keyValueWidth,
      worker: worker)
    if let adapters = pass.adapters {
      adapters.add(.attention, layer: layer, pass, pass.normed, worker: worker) { module in
        switch module {
        case .key: .init(key, pass.key.pointer, stride: shape.keyValueWidth, worker)
        case .value: .init(value, pass.value.pointer, stride: shape.keyValueWidth, worker)
        default: .init(query, pass.query.pointer, stride: shape.queryWidth, worker)
        }
      }
    }
    worker.barrier()
    rotateAndStore(pass, worker: worker)
    worker.barrier()
    let attention = pass.attention(layer: layer)
    attention.run(
      queries: pass.query.pointer, stride: shape.queryWidth, spans: pass.spans(layer: layer),
      sinks: sinks.map { UnsafePointer($0.pointer) }, into: pass.attended, worker: worker)
    worker.barrier()
    if !attention.fillsQuantized {
      pass.attended.quantize(rows: 0..<rows, worker: worker)
      worker.barrier()
    }
    output.apply(
      pass.attended, rows: rows, into: destination, stride: output.matrix.outputs,
      accumulate: accumulate, worker: worker)
    pass.adapters?.add(.attended, layer: layer, pass, pass.attended, worker: worker) { _ in
      .init(output, destination, stride: output.matrix.outputs, worker)
    }
  }

  /// Normalises and rotates queries and keys, and puts keys and values into the pages. Units are
  /// a row's query heads, and a row's keys with its values.
  private func rotateAndStore(_ pass: DecoderPass, worker: Worker) {
    let shape = configuration
    let rotary = pass.rotary(layer: layer)
    let units = worker.range(of: 2 * pass.rowCount)
    for unit in units {
      let row = unit / 2
      let place = pass.place(row: row, layer: layer)
      if unit.isMultiple(of: 2) {
        let queries = pass.query.pointer + row * shape.queryWidth
        normalise(queries, heads: shape.heads, weight: queryNorm)
        rotary?.rotate(queries, heads: shape.heads, position: place.position)
        if let factor = shape.queryGrowth?.factor(position: place.position), factor != 1 {
          VectorOperations.scale(queries, by: factor, count: shape.queryWidth)
        }
      } else {
        let keys = pass.key.pointer + row * shape.keyValueWidth
        normalise(keys, heads: shape.keyValueHeads, weight: keyNorm)
        rotary?.rotate(keys, heads: shape.keyValueHeads, position: place.position)
        pass.layout.store(
          keys: keys, values: pass.value.pointer + row * shape.keyValueWidth, page: place.page,
          slot: place.slot)
      }
    }
  }

  private func normalise(_ x: UnsafeMutablePointer<Float>, heads: Int, weight: FloatBuffer?) {
    guard let weight else { return }
    VectorOperations.rmsNorm(
      x, weight: weight.pointer, epsilon: configuration.epsilon, into: x,
      rows: heads * configuration.headDim / weight.count, width: weight.count, worker: .alone)
  }
}
