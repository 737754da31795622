import Kernels

// One pass, run by every worker. Operations on rows are split by rows and may follow each other
// without a barrier; products are split by outputs and stand between barriers.
extension Encoder {
  func run(_ worker: Worker) {
    embed(worker)
    worker.barrier()
    for layer in layers { apply(layer, worker) }
  }

  private func embed(_ worker: Worker) {
    for row in worker.range(of: pass.rowCount) {
      let x = pass.hidden.row(row)
      // The query buffer is free yet: the addends go through it.
      let addend = pass.query.row(row)
      words.copyRow(Int(pass.tokens[row]), into: x)
      positions.copyRow(pass.position(row: row), into: addend)
      VectorOperations.add(addend, to: x, count: width, worker: .alone)
      kinds.copyRow(0, into: addend)
      VectorOperations.add(addend, to: x, count: width, worker: .alone)
      normalise(row: row, embeddingNorm)
    }
  }

  private func apply(_ layer: EncoderLayer, _ worker: Worker) {
    let rows = 0..<pass.rowCount
    let copiedRows = 0..<pass.copies * pass.rowCount
    multiply(layer.query, into: pass.query, rows: rows, worker)
    multiply(layer.key, into: pass.key, rows: rows, worker)
    multiply(layer.value, into: pass.value, rows: copiedRows, worker)
    worker.barrier()
    for row in worker.range(of: pass.rowCount) {
      join(pass.value, row: row, width: width)
      add(layer.query.bias, to: pass.query.row(row), count: width)
      add(layer.key.bias, to: pass.key.row(row), count: width)
      add(layer.value.bias, to: pass.value.row(row), count: width)
      let place = pass.place(row: row)
      pass.layout.store(
        keys: pass.key.row(row), values: pass.value.row(row), page: place.page, slot: place.slot)
    }
    worker.barrier()
    for (index, text) in pass.texts.enumerated() {
      attention.runBidirectional(
        queries: pass.query.pointer, stride: width, spans: pass.span(text: index),
        keyCount: text.count, into: pass.attended, worker: worker)
    }
    worker.barrier()
    if !attention.fillsQuantized {
      pass.attended.quantize(rows: rows, worker: worker)
      worker.barrier()
    }
    layer.output.matrix.multiply(
      pass.attended, rows: rows, into: pass.hidden.pointer, stride: width,
      accumulate: true, worker: worker)
    worker.barrier()
    for row in worker.range(of: pass.rowCount) {
      add(layer.output.bias, to: pass.hidden.row(row), count: width)
      normalise(row: row, layer.attentionNorm, splits: false)
    }
    worker.barrier()
    let inner = configuration.feedForwardWidth
    layer.intermediate.matrix.multiply(
      pass.normed, rows: rows, into: pass.inner.pointer, stride: inner, worker: worker)
    worker.barrier()
    for row in worker.range(of: pass.rowCount) {
      add(layer.intermediate.bias, to: pass.inner.row(row), count: inner)
      pass.activated.gated(
        pass.inner.row(row), nil, stride: inner, function: .geluErf, rows: row..<row + 1,
        worker: .alone)
    }
    worker.barrier()
    layer.contraction.matrix.multiply(
      pass.activated, rows: rows, into: pass.hidden.pointer, stride: width,
      accumulate: true, worker: worker)
    worker.barrier()
    for row in worker.range(of: pass.rowCount) {
      add(layer.contraction.bias, to: pass.hidden.row(row), count: width)
      normalise(row: row, layer.outputNorm)
    }
    worker.barrier()
  }

  /// Layer norm of a row of the residual stream, in place, and its form for the products behind.
  /// - Parameter splits: Whether what rounding leaves follows as a row of its own.
  private func normalise(row: Int, _ weights: LayerNormWeights, splits: Bool = true) {
    let x = pass.hidden.row(row)
    VectorOperations.layerNorm(
      x, weight: weights.weight.pointer, bias: weights.bias.pointer,
      epsilon: configuration.normEpsilon, into: x, rows: 1, width: width, worker: .alone)
    if splits, pass.copies == 2 {
      pass.normed.quantizeSplit(x, row: row, rest: pass.rowCount + row)
    } else {
      pass.normed.floats.row(row).update(from: x, count: width)
      pass.normed.quantize(rows: row..<row + 1, worker: .alone)
    }
  }

  private func multiply(
    _ projection: Projection, into destination: FloatBuffer, rows: Range<Int>, _ worker: Worker
  ) {
    projection.matrix.multiply(
      pass.normed, rows: rows, into: destination.pointer, stride: width, worker: worker)
  }

  /// Adds to a row of a product what the rest of its activations gave.
  private func join(_ product: FloatBuffer, row: Int, width: Int) {
    guard pass.copies == 2 else { return }
    VectorOperations.add(
      product.row(pass.rowCount + row), to: product.row(row), count: width, worker: .alone)
  }

  private func add(_ bias: FloatBuffer?, to x: UnsafeMutablePointer<Float>, count: Int) {
    if let bias { VectorOperations.add(bias.pointer, to: x, count: count, worker: .alone) }
  }
}
