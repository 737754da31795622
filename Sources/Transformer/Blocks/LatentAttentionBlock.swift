import Kernels

/// DeepSeek's multi-head latent attention over the paged cache.
///
/// Each position's keys and values are expanded from its latent once and cached like those of any
/// other model, a key of plainDim + rotatedDim and a value of valueDim numbers a head. Caching the
/// latent itself with the one rotated key would take keyValueRank + rotatedDim numbers a position
/// and layer, for DeepSeek-V2-Lite 576 instead of 16 * (192 + 128) = 5,120: a ninth. The price is
/// arithmetic: queries have to be carried into the latent and results out of it, and every score
/// is then a product of 576 numbers instead of 192.
package struct LatentAttentionBlock: SelfAttention {
  private let layer: Int
  private let heads: Int
  private let shape: LatentShape
  private let valueDim: Int
  private let epsilon: Float
  /// The queries, from the residual stream or from their latent.
  private let query: Projection
  /// The queries' latent and its norm; nil where queries come from the residual stream.
  private let queryDown: Projection?
  private let queryNorm: FloatBuffer?
  /// The latent of keys and values, and the rotated key. // (keyValueRank + rotatedDim, width)
  private let down: Projection
  private let norm: FloatBuffer
  /// Each head's plain key and value. // (heads * (plainDim + valueDim), keyValueRank)
  private let up: WeightMatrix
  private let output: Projection

  init(
    _ layer: Int, prefix: String, _ configuration: DecoderConfiguration, _ shape: LatentShape,
    _ loader: WeightLoader
  ) throws(ModelError) {
    self.layer = layer
    self.shape = shape
    heads = configuration.headCount
    valueDim = configuration.valueDim
    epsilon = configuration.normEpsilon
    let width = configuration.width
    if let rank = shape.queryRank {
      queryDown = try loader.projection(prefix + "attn_q_a", outputs: rank, inputs: width)
      queryNorm = try loader.vector(prefix + "attn_q_a_norm.weight", count: rank)
      query = try loader.projection(
        prefix + "attn_q_b", outputs: configuration.queryWidth, inputs: rank)
    } else {
      queryDown = nil
      queryNorm = nil
      query = try loader.projection(
        prefix + "attn_q", outputs: configuration.queryWidth, inputs: width)
    }
    down = try loader.projection(
      prefix + "attn_kv_a_mqa", outputs: shape.keyValueRank + shape.rotatedDim, inputs: width)
    norm = try loader.vector(prefix + "attn_kv_a_norm.weight", count: shape.keyValueRank)
    up = try Self.expansion(prefix: prefix, configuration, shape, loader)
    output = try loader.projection(
      prefix + "attn_output", outputs: width, inputs: configuration.attendedWidth)
  }

  /// The matrix out of the latent. Files since 2025 hold it as two: the keys' transposed a head
  /// (for attention in the latent), and the values'.
  private static func expansion(
    prefix: String, _ configuration: DecoderConfiguration, _ shape: LatentShape,
    _ loader: WeightLoader
  ) throws(ModelError) -> WeightMatrix {
    let (heads, plain, value) = (configuration.headCount, shape.plainDim, configuration.valueDim)
    let rank = shape.keyValueRank
    let outputs = heads * (plain + value)
    let whole = prefix + "attn_kv_b.weight"
    guard loader.contains(prefix + "attn_k_b.weight"), !loader.contains(whole) else {
      return try loader.matrix(whole, outputs: outputs, inputs: rank)
    }
    let keys = try loader.floats(prefix + "attn_k_b.weight", shape: [heads, rank, plain])
    let values = try loader.floats(prefix + "attn_v_b.weight", shape: [heads, value, rank])
    var joined = [Float](repeating: 0, count: outputs * rank)
    for head in 0..<heads {
      let start = head * (plain + value) * rank
      for column in 0..<rank {
        let source = (head * rank + column) * plain
        for row in 0..<plain { joined[start + row * rank + column] = keys[source + row] }
      }
      let target = start + plain * rank
      joined.replaceSubrange(
        target..<target + value * rank,
        with: values[head * value * rank..<(head + 1) * value * rank])
    }
    return try loader.matrix(whole, floats: joined, outputs: outputs, inputs: rank)
  }

  package var byteCount: Int {
    query.matrix.byteCount + (queryDown?.matrix.byteCount ?? 0) + down.matrix.byteCount
      + up.byteCount + output.matrix.byteCount
  }

  package func apply(
    _ pass: DecoderPass, output destination: UnsafeMutablePointer<Float>, accumulate: Bool,
    worker: Worker
  ) {
    guard let buffers = pass.latent else { return }
    let rows = pass.rowCount
    let queryWidth = heads * (shape.plainDim + shape.rotatedDim)
    down.apply(
      pass.normed, rows: rows, into: buffers.compressed.pointer, stride: buffers.compressed.width,
      worker: worker)
    if let queryDown, let latent = buffers.query {
      queryDown.apply(
        pass.normed, rows: rows, into: latent.pointer, stride: latent.width, worker: worker)
    } else {
      query.apply(
        pass.normed, rows: rows, into: pass.query.pointer, stride: queryWidth, worker: worker)
    }
    worker.barrier()
    buffers.normed.rmsNorm(
      buffers.compressed.pointer, stride: buffers.compressed.width, weight: norm.pointer,
      epsilon: epsilon, rows: 0..<rows, worker: worker)
    if let queryNorm, let latent = buffers.query, let normed = buffers.queryNormed {
      normed.rmsNorm(
        latent.pointer, stride: latent.width, weight: queryNorm.pointer, epsilon: epsilon,
        rows: 0..<rows, worker: worker)
    }
    worker.barrier()
    up.multiply(
      buffers.normed, rows: 0..<rows, into: buffers.expanded.pointer,
      stride: buffers.expanded.width, worker: worker)
    if let normed = buffers.queryNormed {
      query.apply(normed, rows: rows, into: pass.query.pointer, stride: queryWidth, worker: worker)
    }
    worker.barrier()
    rotateAndStore(pass, buffers, queryWidth: queryWidth, worker: worker)
    worker.barrier()
    let attention = pass.attention(layer: layer)
    let attended = pass.attended(layer: layer)
    attention.run(
      queries: pass.query.pointer, stride: queryWidth, spans: pass.spans(layer: layer),
      into: attended, worker: worker)
    worker.barrier()
    if !attention.fillsQuantized {
      attended.quantize(rows: 0..<rows, worker: worker)
      worker.barrier()
    }
    output.apply(
      attended, rows: rows, into: destination, stride: output.matrix.outputs,
      accumulate: accumulate, worker: worker)
  }

  /// Rotates the last numbers of each query and the position's one rotated key, and puts each
  /// head's key and value into the pages. Units are a row's queries, and a row's keys and values.
  private func rotateAndStore(
    _ pass: DecoderPass, _ buffers: LatentBuffers, queryWidth: Int, worker: Worker
  ) {
    let layout = pass.attention(layer: layer).layout
    let (plain, rotated) = (shape.plainDim, shape.rotatedDim)
    for unit in worker.range(of: 2 * pass.rowCount) {
      let row = unit / 2
      if unit.isMultiple(of: 2) {
        pass.rotate(
          pass.query.pointer + row * queryWidth + plain, heads: heads, row: row, layer: layer)
        continue
      }
      let place = pass.place(row: row, layer: layer)
      let rotatedKey = buffers.compressed.row(row) + shape.keyValueRank
      pass.rotate(rotatedKey, heads: 1, row: row, layer: layer)
      let keys = pass.key.row(row)
      let values = pass.value.row(row)
      for head in 0..<heads {
        let source = buffers.expanded.row(row) + head * (plain + valueDim)
        let key = keys + head * (plain + rotated)
        key.update(from: source, count: plain)
        (key + plain).update(from: rotatedKey, count: rotated)
        (values + head * valueDim).update(from: source + plain, count: valueDim)
      }
      layout.store(keys: keys, values: values, page: place.page, slot: place.slot)
    }
  }
}
