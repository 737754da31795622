import Kernels

// One pass, run by every worker.
//
// With many rows each worker takes its own rows through whole layers and waits for the others once a layer,
// when keys and values are there. With few, all take all rows: products are shared out by outputs,
// attention by heads, and what lies between, norms and rotations, each does for itself, which takes less
// time than waiting for another to do it.
extension RotatedEncoderBody {
  /// What one worker does of a pass.
  private struct Part {
    let worker: Worker
    /// Whether its rows are its own.
    let byRows: Bool
    let rows: Range<Int>
    let heads: Range<Int>
    /// Its rows of the residual stream.
    let hidden: UnsafeMutablePointer<Float>
    /// The first of its rows of `normed` and `rest`, and of `inner` and `activated`.
    let normedRow: Int
    let innerRow: Int

    /// Waits for what the others did of the same rows.
    func shared() { if !byRows { worker.barrier() } }

    /// Its outputs of a product.
    func outputs(of count: Int) -> Range<Int> {
      byRows ? 0..<count : worker.range(of: count, multipleOf: RotatedMatrix.outputStep)
    }
  }

  private var width: Int { configuration.width }

  func run(_ worker: Worker, depth: Int) {
    let part = part(of: worker)
    embed(part)
    for index in 0..<depth { apply(layers[index], index: index, part) }
  }

  private func part(of worker: Worker) -> Part {
    let byRows = batch.rowCount >= Self.rowsAWorker * worker.count
    let rows = byRows ? worker.range(of: batch.rowCount, multipleOf: 2) : 0..<batch.rowCount
    return Part(
      worker: worker, byRows: byRows, rows: rows,
      heads: byRows
        ? 0..<configuration.headCount : worker.range(of: configuration.headCount),
      hidden: byRows || worker.index == 0
        ? hidden.pointer + rows.lowerBound * width : copies.row(worker.index * fewRows),
      normedRow: worker.index * ownRows,
      innerRow: byRows ? worker.index * Self.panel : 0)
  }

  private func embed(_ part: Part) {
    for (offset, row) in part.rows.enumerated() {
      // The worker's own rows of the feed-forward block are free yet: the addends go through one.
      embeddings.add(
        row: row, of: batch, into: part.hidden + offset * width,
        scratch: inner.row(part.worker.index * Self.panel))
    }
    normalise(UnsafePointer(part.hidden), embeddings.norm, rest: rest, part)
  }

  private func apply(_ layer: RotatedEncoderLayer, index: Int, _ part: Part) {
    project(layer.queryKeyValue, part)
    attend(layer: index, part)
    part.shared()
    let rows = part.rows
    let attended = queryKeyValue.pointer + rows.lowerBound * 3 * width
    normed.quantize(
      attended, stride: 3 * width, count: rows.count, chunks: 0..<normed.chunks, gelu: false,
      row: part.normedRow)
    let sums = sum.pointer + rows.lowerBound * width
    layer.output.matrix.multiply(
      normed, row: part.normedRow, count: rows.count, outputs: part.outputs(of: width),
      into: sums, stride: width, bias: layer.output.bias.pointer, addend: part.hidden,
      addendStride: width)
    part.shared()
    normalise(sums, layer.attentionNorm, rest: nil, part)
    if part.byRows {
      feedForwardOwnRows(layer, part)
    } else {
      feedForwardOwnOutputs(layer, part)
    }
    normalise(sums, layer.outputNorm, rest: rest, part)
  }

  /// Queries, keys and values of this worker's rows and heads. Those of a head lie together in each
  /// third of the outputs.
  private func project(_ projection: RotatedProjection, _ part: Part) {
    let output = queryKeyValue.pointer + part.rows.lowerBound * 3 * width
    let headDim = configuration.headDim
    func multiply(_ x: RotatedActivations, _ outputs: Range<Int>, isRest: Bool = false) {
      projection.matrix.multiply(
        x, row: part.normedRow, count: part.rows.count, outputs: outputs, into: output,
        stride: 3 * width, bias: isRest ? nil : projection.bias.pointer,
        addend: isRest ? output : nil, addendStride: 3 * width)
    }
    func outputs(third: Int) -> Range<Int> {
      let start = third * width
      return start + part.heads.lowerBound * headDim..<start + part.heads.upperBound * headDim
    }
    if part.byRows {
      multiply(normed, 0..<3 * width)
    } else {
      for third in 0..<3 { multiply(normed, outputs(third: third)) }
    }
    // int8 activations cost more here than all other roundings together.
    multiply(rest, outputs(third: 2), isRest: true)
  }

  private func attend(layer: Int, _ part: Part) {
    let stride = 3 * width
    func each(_ body: (EncoderBatch.Text, UnsafeMutablePointer<Float>, Range<Int>) -> Void) {
      for text in batch.texts {
        let mine = part.rows.clamped(to: text.rows)
        guard !mine.isEmpty else { continue }
        let positions = mine.lowerBound - text.firstRow..<mine.upperBound - text.firstRow
        body(text, queryKeyValue.row(text.firstRow), positions)
      }
    }
    each { text, rows, positions in
      attention.store(
        keys: rows + width, values: rows + 2 * width, stride: stride, count: text.count,
        positions: positions, heads: part.heads, place: .init(position: text.place, layer: layer))
    }
    if part.byRows { part.worker.barrier() }
    each { text, rows, positions in
      attention.run(
        queries: rows, output: rows, stride: stride, count: text.count, rows: positions,
        heads: part.heads, place: .init(position: text.place, layer: layer), worker: part.worker)
    }
  }

  private func feedForwardOwnRows(_ layer: RotatedEncoderLayer, _ part: Part) {
    let innerWidth = configuration.feedForwardWidth
    var offset = 0
    while offset < part.rows.count {
      let count = min(Self.panel, part.rows.count - offset)
      layer.intermediate.matrix.multiply(
        normed, row: part.normedRow + offset, count: count, outputs: 0..<innerWidth,
        into: inner.row(part.innerRow), stride: innerWidth, bias: layer.intermediate.bias.pointer)
      activated.quantize(
        inner.row(part.innerRow), stride: innerWidth, count: count, chunks: 0..<activated.chunks,
        gelu: true, row: part.innerRow)
      layer.contraction.matrix.multiply(
        activated, row: part.innerRow, count: count, outputs: 0..<width,
        into: sum.row(part.rows.lowerBound + offset), stride: width,
        bias: layer.contraction.bias.pointer, addend: part.hidden + offset * width,
        addendStride: width)
      offset += count
    }
  }

  private func feedForwardOwnOutputs(_ layer: RotatedEncoderLayer, _ part: Part) {
    let innerWidth = configuration.feedForwardWidth
    let count = part.rows.count
    let worker = part.worker
    // Where chunks can be shared out evenly, each worker rounds what it multiplied itself.
    let byChunks = activated.chunks.isMultiple(of: worker.count)
    let chunks = byChunks ? worker.range(of: activated.chunks) : 0..<activated.chunks
    let outputs =
      byChunks
      ? chunks.lowerBound * activated.chunkWidth..<chunks.upperBound * activated.chunkWidth
      : part.outputs(of: innerWidth)
    layer.intermediate.matrix.multiply(
      normed, row: part.normedRow, count: count, outputs: outputs, into: inner.pointer,
      stride: innerWidth, bias: layer.intermediate.bias.pointer)
    if !byChunks { worker.barrier() }
    let rounded = byChunks ? 0..<count : worker.range(of: count)
    if !rounded.isEmpty {
      activated.quantize(
        inner.row(rounded.lowerBound), stride: innerWidth, count: rounded.count, chunks: chunks,
        gelu: true, row: rounded.lowerBound)
    }
    worker.barrier()
    layer.contraction.matrix.multiply(
      activated, row: 0, count: count, outputs: part.outputs(of: width), into: sum.pointer,
      stride: width, bias: layer.contraction.bias.pointer, addend: part.hidden,
      addendStride: width)
    worker.barrier()
  }

  /// Layer norm of this worker's rows of `source`: the residual stream, and its form for the products
  /// behind.
  private func normalise(
    _ source: UnsafePointer<Float>, _ weights: LayerNormWeights, rest: RotatedActivations?,
    _ part: Part
  ) {
    normed.layerNorm(
      source, count: part.rows.count, weight: weights.weight.pointer,
      bias: weights.bias.pointer, epsilon: configuration.normEpsilon, hidden: part.hidden,
      rest: rest, row: part.normedRow)
  }
}
