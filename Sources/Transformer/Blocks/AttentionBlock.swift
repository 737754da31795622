import Kernels

/// Grouped-query attention with rotary positions over the paged cache.
package struct AttentionBlock: SelfAttention {
  private let layer: Int
  private let query: Projection
  /// nil where keys and values are those of an earlier layer.
  private let key: Projection?
  /// nil there too, and where a position's values are its keys, as they are before norm and rotation.
  private let value: Projection?
  private let output: Projection
  private let heads: HeadShape
  private let epsilon: Float
  private let queryGrowth: QueryGrowth?
  /// Norm weights of queries and keys; nil where the family has none. Of the width of a head, each
  /// head is normalised by itself; of the width of all heads, these together.
  var queryNorm: FloatBuffer?
  var keyNorm: FloatBuffer?
  /// The same of values. // (valueDim)
  var valueNorm: FloatBuffer?
  /// Scores of a position without a value that every row sees; nil where the family has none.
  /// // (heads)
  var sinks: FloatBuffer?
  /// What opens each number of the attended; nil where the family has none.
  private var gate: Projection?

  /// - Parameters:
  ///   - valuesMayBeKeys: Whether the family has layers without values of their own.
  ///   - isGated: Whether what is attended is opened by a gate, whose weights stand with the queries'.
  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader,
    valuesMayBeKeys: Bool = false, isGated: Bool = false
  ) throws(ModelError) {
    self.layer = layer
    let heads = configuration.heads(layer: layer)
    self.heads = heads
    epsilon = configuration.normEpsilon
    queryGrowth = configuration.queryGrowth
    let width = configuration.width
    if configuration.layers[layer].keyValueSource != nil {
      query = try loader.projection(prefix + "attn_q", outputs: heads.queryWidth, inputs: width)
      (key, value) = (nil, nil)
    } else if isGated {
      let rows = InterleavedRows(
        heads: heads.count, counts: [heads.headDim, heads.headDim])
      let parts = try loader.interleavedProjections(
        prefix + "attn_q", rows, maps: [[0], [1]], inputs: width)
      (query, gate) = (parts[0], parts[1])
      key = try loader.projection(prefix + "attn_k", outputs: heads.keyWidth, inputs: width)
      value = try loader.projection(prefix + "attn_v", outputs: heads.valueWidth, inputs: width)
    } else if loader.contains(prefix + "attn_qkv.weight") {
      let parts = try loader.projections(
        prefix + "attn_qkv", outputs: [heads.queryWidth, heads.keyWidth, heads.valueWidth],
        inputs: width)
      (query, key, value) = (parts[0], parts[1], parts[2])
    } else {
      query = try loader.projection(prefix + "attn_q", outputs: heads.queryWidth, inputs: width)
      key = try loader.projection(prefix + "attn_k", outputs: heads.keyWidth, inputs: width)
      value =
        valuesMayBeKeys && !loader.contains(prefix + "attn_v.weight")
        ? nil : try loader.projection(prefix + "attn_v", outputs: heads.valueWidth, inputs: width)
    }
    output = try loader.projection(
      prefix + "attn_output", outputs: width, inputs: heads.attendedWidth)
  }

  /// A block with a norm on each head's query and key.
  static func withHeadNorms(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) -> AttentionBlock {
    var block = try AttentionBlock(layer, prefix: prefix, configuration, loader)
    try block.loadNorms(
      prefix: prefix, queryCount: block.heads.headDim, keyCount: block.heads.headDim, loader)
    return block
  }

  /// The same with a gate on each number of the attended, whose weights stand with the queries'.
  static func gated(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) -> AttentionBlock {
    var block = try AttentionBlock(
      layer, prefix: prefix, configuration, loader, isGated: true)
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
    query.matrix.byteCount + (key?.matrix.byteCount ?? 0) + (value?.matrix.byteCount ?? 0)
      + output.matrix.byteCount + (gate?.matrix.byteCount ?? 0)
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
    query.apply(
      pass.normed, rows: rows, into: pass.query.pointer, stride: heads.queryWidth, worker: worker)
    key?.apply(
      pass.normed, rows: rows, into: pass.key.pointer, stride: heads.keyWidth, worker: worker)
    value?.apply(
      pass.normed, rows: rows, into: pass.value.pointer, stride: heads.valueWidth, worker: worker)
    if let gate, let buffers = pass.deltaNet {
      gate.apply(
        pass.normed, rows: rows, into: buffers.attentionGate.pointer, stride: heads.queryWidth,
        worker: worker)
    }
    if let adapters = pass.adapters {
      adapters.add(.attention, layer: layer, pass, pass.normed, worker: worker) { module in
        // Only maps that are here are asked for.
        if module == .key, let key {
          .init(key, pass.key.pointer, stride: heads.keyWidth, worker)
        } else if module == .value, let value {
          .init(value, pass.value.pointer, stride: heads.valueWidth, worker)
        } else {
          .init(query, pass.query.pointer, stride: heads.queryWidth, worker)
        }
      }
    }
    worker.barrier()
    rotateAndStore(pass, worker: worker)
    worker.barrier()
    let attention = pass.attention(layer: layer)
    let attended = pass.attended(layer: layer)
    let gated = gate == nil ? nil : pass.deltaNet
    attention.run(
      queries: pass.query.pointer, stride: heads.queryWidth, spans: pass.spans(layer: layer),
      sinks: sinks.map { UnsafePointer($0.pointer) }, into: gated?.attended ?? attended,
      worker: worker)
    worker.barrier()
    if let gated {
      attended.gated(
        gated.attentionGate.pointer, gated.attended.floats.pointer, stride: heads.queryWidth,
        function: .sigmoid, rows: 0..<rows, worker: worker)
      worker.barrier()
    } else if !attention.fillsQuantized {
      attended.quantize(rows: 0..<rows, worker: worker)
      worker.barrier()
    }
    output.apply(
      attended, rows: rows, into: destination, stride: output.matrix.outputs,
      accumulate: accumulate, worker: worker)
    pass.adapters?.add(.attended, layer: layer, pass, attended, worker: worker) { _ in
      .init(output, destination, stride: output.matrix.outputs, worker)
    }
  }

  /// Normalises and rotates queries and keys, and puts keys and values into the pages. Units are
  /// a row's query heads, and a row's keys with its values.
  private func rotateAndStore(_ pass: DecoderPass, worker: Worker) {
    guard key != nil else {
      for row in worker.range(of: pass.rowCount) { finishQueries(pass, row: row) }
      return
    }
    for unit in worker.range(of: 2 * pass.rowCount) {
      if unit.isMultiple(of: 2) {
        finishQueries(pass, row: unit / 2)
      } else {
        storeKeysAndValues(pass, row: unit / 2)
      }
    }
  }

  private func finishQueries(_ pass: DecoderPass, row: Int) {
    let queries = pass.query.pointer + row * heads.queryWidth
    let position = pass.position(row: row)
    normalise(queries, width: heads.queryWidth, weight: queryNorm)
    pass.rotate(queries, heads: heads.count, row: row, layer: layer)
    if let factor = queryGrowth?.factor(position: position), factor != 1 {
      VectorOperations.scale(queries, by: factor, count: heads.queryWidth)
    }
  }

  private func storeKeysAndValues(_ pass: DecoderPass, row: Int) {
    let keys = pass.key.pointer + row * heads.keyWidth
    let values = pass.value.pointer + row * heads.valueWidth
    let place = pass.place(row: row, layer: layer)
    if value == nil { values.update(from: keys, count: heads.valueWidth) }
    normalise(keys, width: heads.keyWidth, weight: keyNorm)
    pass.rotate(keys, heads: heads.keyValueCount, row: row, layer: layer)
    normalise(values, width: heads.valueWidth, weight: valueNorm)
    pass.attention(layer: layer).layout.store(
      keys: keys, values: values, page: place.page, slot: place.slot)
  }

  private func normalise(_ x: UnsafeMutablePointer<Float>, width: Int, weight: FloatBuffer?) {
    guard let weight else { return }
    VectorOperations.rmsNorm(
      x, weight: weight.pointer, epsilon: epsilon, into: x, rows: width / weight.count,
      width: weight.count, worker: .alone)
  }
}
