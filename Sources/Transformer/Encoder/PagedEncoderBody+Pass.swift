import Kernels

// One pass, run by every worker. Operations on rows are split by rows and may follow each other
// without a barrier; products are split by outputs and stand between barriers.
extension PagedEncoderBody {
  private var width: Int { configuration.width }

  func run(_ worker: Worker, depth: Int) {
    embed(worker)
    worker.barrier()
    for layer in layers[..<depth] { apply(layer, worker) }
  }

  private func embed(_ worker: Worker) {
    for row in worker.range(of: batch.rowCount) {
      // The query buffer is free yet: the addends go through it.
      embeddings.add(row: row, of: batch, into: hidden.row(row), scratch: query.row(row))
    }
    normalise(embeddings.norm, rest: rest, worker)
  }

  /// Where the rows begin that hold what rounding left of the others.
  private var rest: Int? { copies == 2 ? batch.rowCount : nil }

  private func apply(_ layer: EncoderLayer, _ worker: Worker) {
    let rows = 0..<batch.rowCount
    layer.query.apply(normed, rows: rows, into: query.pointer, stride: width, worker: worker)
    layer.key.apply(normed, rows: rows, into: key.pointer, stride: width, worker: worker)
    layer.value.apply(normed, rows: rows, into: value.pointer, stride: width, worker: worker)
    if let rest {
      // A worker adds to what it computed itself.
      layer.value.matrix.multiply(
        normed, rows: rest..<rest + rows.count, into: value.pointer, stride: width,
        accumulate: true, worker: worker)
    }
    worker.barrier()
    attend(worker)
    worker.barrier()
    layer.output.apply(
      attended, rows: rows, into: hidden.pointer, stride: width, accumulate: true, worker: worker)
    worker.barrier()
    normalise(layer.attentionNorm, rest: nil, worker)
    worker.barrier()
    let innerWidth = configuration.feedForwardWidth
    layer.intermediate.apply(
      normed, rows: rows, into: inner.pointer, stride: innerWidth, worker: worker)
    activated.gated(
      inner.pointer, nil, stride: innerWidth, function: .geluErf, rows: rows,
      after: layer.intermediate.matrix, worker: worker)
    worker.barrier()
    layer.contraction.apply(
      activated, rows: rows, into: hidden.pointer, stride: width, accumulate: true, worker: worker)
    worker.barrier()
    normalise(layer.outputNorm, rest: rest, worker)
    worker.barrier()
  }

  private func attend(_ worker: Worker) {
    store(worker)
    worker.barrier()
    for text in batch.texts {
      let span = AttentionSpan(
        firstRow: text.firstRow, rowCount: text.count, firstPosition: 0, pages: pages(of: text))
      withUnsafePointer(to: span) { span in
        attention.runBidirectional(
          queries: query.pointer, stride: width,
          spans: UnsafeBufferPointer(start: span, count: 1), keyCount: text.count, into: attended,
          worker: worker)
      }
    }
    if !attention.fillsQuantized {
      worker.barrier()
      attended.quantize(rows: 0..<batch.rowCount, worker: worker)
    }
  }

  /// Puts keys and values of this worker's rows into the pages.
  private func store(_ worker: Worker) {
    let share = worker.range(of: batch.rowCount)
    for text in batch.texts {
      let mine = share.clamped(to: text.rows)
      guard !mine.isEmpty else { continue }
      layout.store(
        keys: key.row(mine.lowerBound), values: value.row(mine.lowerBound), stride: width,
        pages: pages(of: text),
        positions: mine.lowerBound - text.firstRow..<mine.upperBound - text.firstRow)
    }
  }

  /// Layer norm of the residual stream, in place, and its form for the products behind.
  private func normalise(_ weights: LayerNormWeights, rest: Int?, _ worker: Worker) {
    normed.layerNorm(
      hidden.pointer, weight: weights.weight.pointer, bias: weights.bias.pointer,
      epsilon: configuration.normEpsilon, rows: 0..<batch.rowCount, rest: rest, worker: worker)
  }
}
