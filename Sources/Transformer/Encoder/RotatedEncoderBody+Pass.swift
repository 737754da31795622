import Kernels

// One pass, run by every worker.
//
// With enough rows each worker takes its own through whole layers, panel by panel, and waits for the others
// once a layer, when keys and values are there. With few, all take all rows: products are shared out by
// outputs, attention by heads, and what lies between, norms and rotations, each does for itself,
// which takes less time than waiting for another to do it.
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
    /// The first of its rows of `normed`, and of what holds a panel.
    let firstNormed: Int
    let panelRow: Int

    /// Waits for what the others did of the same rows.
    func shared() { if !byRows { worker.barrier() } }

    /// Its outputs of a product.
    func outputs(of count: Int) -> Range<Int> {
      byRows ? 0..<count : worker.range(of: count, multipleOf: RotatedMatrix.outputStep)
    }

    /// Its rows, those of a panel at a time. Where workers share rows these are fewer than one panel of each.
    var panels: [Panel] {
      let step = byRows ? RotatedEncoderBody.panel : max(1, rows.count)
      return stride(from: 0, to: rows.count, by: step).map { offset in
        let first = rows.lowerBound + offset
        return Panel(
          rows: first..<min(first + step, rows.upperBound), offset: offset,
          normedRow: firstNormed + offset)
      }
    }
  }

  private struct Panel {
    let rows: Range<Int>
    /// Of its first row among the worker's.
    let offset: Int
    let normedRow: Int
    var count: Int { rows.count }
  }

  private var width: Int { configuration.width }

  func run(_ worker: Worker, depth: Int) {
    let part = part(of: worker)
    embed(part)
    let panels = part.panels
    for index in 0..<depth {
      let layer = layers[index]
      for panel in panels {
        project(layer.queryKeyValue, panel, part)
        storeKeysValues(layer: index, panel, part)
      }
      if part.byRows { worker.barrier() }
      for panel in panels {
        attend(layer: index, panel, part)
        applyOutput(layer, panel, part)
        feedForward(layer, panel, part)
      }
    }
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
      firstNormed: worker.index * ownRows,
      panelRow: byRows ? worker.index * Self.panel : 0)
  }

  private func embed(_ part: Part) {
    for (offset, row) in part.rows.enumerated() {
      // The worker's own panel is free yet: the addends go through a row of it.
      embeddings.add(
        row: row, of: batch, into: part.hidden + offset * width,
        scratch: inner.row(part.worker.index * Self.panel))
    }
    normed.layerNorm(
      part.hidden, count: part.rows.count, weight: embeddings.norm.weight.pointer,
      bias: embeddings.norm.bias.pointer, epsilon: configuration.normEpsilon,
      hidden: part.hidden, row: part.firstNormed)
  }

  /// Queries, keys and values of this worker's heads. Those of a head lie together in each third of the
  /// outputs.
  private func project(_ projection: RotatedProjection, _ panel: Panel, _ part: Part) {
    let headDim = configuration.headDim
    for third in 0..<3 {
      let start = third * width
      // Where output 0 of the panel's first row would be.
      let output =
        third == 0
        ? queries.row(panel.rows.lowerBound) : keysValues.row(part.panelRow) - width
      projection.matrix.multiply(
        normed, row: panel.normedRow, count: panel.count,
        outputs: start + part.heads.lowerBound * headDim..<start + part.heads.upperBound * headDim,
        into: output, stride: third == 0 ? width : 2 * width, bias: projection.bias.pointer)
    }
  }

  /// The texts of a panel, and the places in them that are its own.
  private func each(
    _ panel: Panel, _ body: (EncoderBatch.Text, Range<Int>) -> Void
  ) {
    for text in batch.texts {
      let mine = panel.rows.clamped(to: text.rows)
      guard !mine.isEmpty else { continue }
      body(text, mine.lowerBound - text.firstRow..<mine.upperBound - text.firstRow)
    }
  }

  private func storeKeysValues(layer: Int, _ panel: Panel, _ part: Part) {
    each(panel) { text, positions in
      // Where the text's first position would be.
      let keys =
        keysValues.pointer
        + (part.panelRow + text.firstRow - panel.rows.lowerBound) * 2 * width
      attention.store(
        keys: keys, values: keys + width, stride: 2 * width, count: text.count,
        positions: positions, heads: part.heads, place: .init(position: text.place, layer: layer))
    }
  }

  private func attend(layer: Int, _ panel: Panel, _ part: Part) {
    each(panel) { text, rows in
      let queries = queries.row(text.firstRow)
      attention.run(
        queries: queries, output: queries, stride: width, count: text.count, rows: rows,
        heads: part.heads, place: .init(position: text.place, layer: layer), worker: part.worker)
    }
    part.shared()
  }

  private func applyOutput(_ layer: RotatedEncoderLayer, _ panel: Panel, _ part: Part) {
    normed.quantize(
      queries.row(panel.rows.lowerBound), stride: width, count: panel.count,
      chunks: 0..<normed.chunks, gelu: false, row: panel.normedRow)
    close(layer.output, of: normed, row: panel.normedRow, norm: layer.attentionNorm, panel, part)
  }

  private func feedForward(_ layer: RotatedEncoderLayer, _ panel: Panel, _ part: Part) {
    let innerWidth = configuration.feedForwardWidth
    let worker = part.worker
    // Where chunks can be shared out evenly, each worker rounds what it multiplied itself.
    let byChunks = part.byRows || activated.chunks.isMultiple(of: worker.count)
    let chunks =
      part.byRows || !byChunks ? 0..<activated.chunks : worker.range(of: activated.chunks)
    let outputs =
      byChunks
      ? chunks.lowerBound * activated.chunkWidth..<chunks.upperBound * activated.chunkWidth
      : part.outputs(of: innerWidth)
    layer.intermediate.matrix.multiply(
      normed, row: panel.normedRow, count: panel.count, outputs: outputs,
      into: inner.row(part.panelRow), stride: innerWidth, bias: layer.intermediate.bias.pointer)
    if !byChunks { worker.barrier() }
    let rounded = byChunks ? 0..<panel.count : worker.range(of: panel.count)
    if !rounded.isEmpty {
      activated.quantize(
        inner.row(part.panelRow + rounded.lowerBound), stride: innerWidth, count: rounded.count,
        chunks: chunks, gelu: true, row: part.panelRow + rounded.lowerBound)
    }
    part.shared()
    close(
      layer.contraction, of: activated, row: part.panelRow, norm: layer.outputNorm, panel, part)
  }

  /// The end of a block: its last product is added to the residual stream, whose layer norm is the new one,
  /// also in its form for the products behind.
  private func close(
    _ projection: RotatedProjection, of x: RotatedActivations, row: Int, norm: LayerNormWeights,
    _ panel: Panel, _ part: Part
  ) {
    let hidden = part.hidden + panel.offset * width
    projection.matrix.multiply(
      x, row: row, count: panel.count, outputs: part.outputs(of: width),
      into: sum.row(part.panelRow), stride: width, bias: projection.bias.pointer, addend: hidden,
      addendStride: width)
    part.shared()
    normed.layerNorm(
      sum.row(part.panelRow), count: panel.count, weight: norm.weight.pointer,
      bias: norm.bias.pointer, epsilon: configuration.normEpsilon, hidden: hidden,
      row: panel.normedRow)
  }
}
