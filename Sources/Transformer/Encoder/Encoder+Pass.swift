import Kernels

// One pass, run by every worker. Operations on rows are split by rows and may follow each other
// without a barrier; products are split by outputs and stand between barriers.
extension Encoder {
  /// The first `depth` layers.
  func run(_ worker: Worker, depth: Int) {
    embed(worker)
    worker.barrier()
    for layer in layers[..<depth] { apply(layer, worker) }
  }

  private func embed(_ worker: Worker) {
    let share = worker.range(of: pass.rowCount)
    let hidden = pass.hidden.pointer
    let addends = pass.query.pointer
    for row in share {
      let x = hidden + row * width
      // The query buffer is free yet: the addends go through it.
      let addend = addends + row * width
      words.copyRow(Int(pass.tokens[row]), into: x)
      positions.copyRow(pass.position(row: row), into: addend)
      VectorOperations.add(addend, to: x, count: width, worker: .alone)
      kinds.copyRow(0, into: addend)
      VectorOperations.add(addend, to: x, count: width, worker: .alone)
    }
    normalise(embeddingNorm, rest: rest, worker)
  }

  /// Where the rows begin that hold what rounding left of the others.
  private var rest: Int? { pass.copies == 2 ? pass.rowCount : nil }

  private func apply(_ layer: EncoderLayer, _ worker: Worker) {
    let rows = 0..<pass.rowCount
    let normed = pass.normed
    layer.query.apply(
      normed, rows: rows, into: pass.query.pointer, stride: width, worker: worker)
    layer.key.apply(normed, rows: rows, into: pass.key.pointer, stride: width, worker: worker)
    layer.value.apply(normed, rows: rows, into: pass.value.pointer, stride: width, worker: worker)
    if let rest {
      // A worker adds to what it computed itself.
      layer.value.matrix.multiply(
        normed, rows: rest..<rest + rows.count, into: pass.value.pointer, stride: width,
        accumulate: true, worker: worker)
    }
    worker.barrier()
    if let fullAttention { attend(fullAttention, worker) } else { attendByPages(worker) }
    worker.barrier()
    layer.output.apply(
      pass.attended, rows: rows, into: pass.hidden.pointer, stride: width, accumulate: true,
      worker: worker)
    worker.barrier()
    normalise(layer.attentionNorm, rest: nil, worker)
    worker.barrier()
    let inner = configuration.feedForwardWidth
    layer.intermediate.apply(
      normed, rows: rows, into: pass.inner.pointer, stride: inner, worker: worker)
    pass.activated.gated(
      pass.inner.pointer, nil, stride: inner, function: .geluErf, rows: rows,
      after: layer.intermediate.matrix, worker: worker)
    worker.barrier()
    layer.contraction.apply(
      pass.activated, rows: rows, into: pass.hidden.pointer, stride: width, accumulate: true,
      worker: worker)
    worker.barrier()
    normalise(layer.outputNorm, rest: rest, worker)
    worker.barrier()
  }

  private func attend(_ attention: FullAttention, _ worker: Worker) {
    for text in pass.texts {
      attention.store(
        keys: pass.key.row(text.firstRow), values: pass.value.row(text.firstRow), stride: width,
        positions: text.count, place: text.place, worker: worker)
    }
    worker.barrier()
    for text in pass.texts {
      attention.run(
        queries: pass.query.pointer, stride: width, firstRow: text.firstRow,
        positions: text.count, place: text.place, into: pass.attended, worker: worker)
    }
  }

  private func attendByPages(_ worker: Worker) {
    store(worker)
    worker.barrier()
    for (index, text) in pass.texts.enumerated() {
      attention.runBidirectional(
        queries: pass.query.pointer, stride: width, spans: pass.span(text: index),
        keyCount: text.count, into: pass.attended, worker: worker)
    }
    if !attention.fillsQuantized {
      worker.barrier()
      pass.attended.quantize(rows: 0..<pass.rowCount, worker: worker)
    }
  }

  /// Puts keys and values of this worker's rows into the pages.
  private func store(_ worker: Worker) {
    let share = worker.range(of: pass.rowCount)
    for text in pass.texts {
      let mine = share.clamped(to: text.firstRow..<text.firstRow + text.count)
      guard !mine.isEmpty else { continue }
      pass.layout.store(
        keys: pass.key.pointer + mine.lowerBound * width,
        values: pass.value.pointer + mine.lowerBound * width, stride: width,
        pages: pass.pages(of: text),
        positions: mine.lowerBound - text.firstRow..<mine.upperBound - text.firstRow)
    }
  }

  /// Layer norm of the residual stream, in place, and its form for the products behind.
  private func normalise(_ weights: LayerNormWeights, rest: Int?, _ worker: Worker) {
    pass.normed.layerNorm(
      pass.hidden.pointer, weight: weights.weight.pointer, bias: weights.bias.pointer,
      epsilon: configuration.normEpsilon, rows: 0..<pass.rowCount, rest: rest, worker: worker)
  }
}
