import Kernels
import Transformer

// The passes that a tile takes, each run by every worker. None is longer than a block of one layer, so that what a
// decoder is asked for meanwhile gets its turn. Operations on rows are split by rows and may follow each other without
// a barrier; products are split by outputs and stand between barriers.
extension VisionBody {
  private var width: Int { configuration.width }
  private var rows: Range<Int> { 0..<configuration.patchCount }

  /// Pixels to the first layer's input.
  func embed(_ tile: RGBImage, _ worker: Worker) {
    embedding.cut(tile, into: patches, worker: worker)
    worker.barrier()
    embedding.apply(patches, into: hidden, worker: worker)
  }

  /// `hidden += output(attention(norm(hidden)))`
  func attend(_ layer: VisionLayer, _ worker: Worker) {
    normalise(layer.attentionNorm, worker)
    worker.barrier()
    layer.query.apply(normed, rows: rows, into: query.pointer, stride: width, worker: worker)
    layer.key.apply(normed, rows: rows, into: key.pointer, stride: width, worker: worker)
    layer.value.apply(normed, rows: rows, into: value.pointer, stride: width, worker: worker)
    worker.barrier()
    store(worker.range(of: rows.count))
    worker.barrier()
    let span = AttentionSpan(
      firstRow: 0, rowCount: rows.count, firstPosition: 0, pages: UnsafePointer(pages))
    withUnsafePointer(to: span) { span in
      attention.runBidirectional(
        queries: query.pointer, stride: width, spans: UnsafeBufferPointer(start: span, count: 1),
        keyCount: rows.count, into: attended, worker: worker)
    }
    worker.barrier()
    if !attention.fillsQuantized {
      attended.quantize(rows: rows, worker: worker)
      worker.barrier()
    }
    layer.output.apply(
      attended, rows: rows, into: hidden.pointer, stride: width, accumulate: true, worker: worker)
  }

  /// `hidden += contraction(gelu(expansion(norm(hidden))))`
  func feedForward(_ layer: VisionLayer, _ worker: Worker) {
    let innerWidth = configuration.feedForwardWidth
    normalise(layer.feedForwardNorm, worker)
    worker.barrier()
    layer.expansion.apply(
      normed, rows: rows, into: inner.pointer, stride: innerWidth, worker: worker)
    activated.gated(
      inner.pointer, nil, stride: innerWidth, function: .geluTanh, rows: rows,
      after: layer.expansion.matrix, worker: worker)
    worker.barrier()
    layer.contraction.apply(
      activated, rows: rows, into: hidden.pointer, stride: width, accumulate: true,
      worker: worker)
  }

  /// The last layer's output to the language model's embeddings. // output (rowsPerTile, outputWidth)
  func connect(into output: UnsafeMutablePointer<Float>, _ worker: Worker) {
    normalise(finalNorm, worker)
    worker.barrier()
    join(worker)
    worker.barrier()
    connector.multiply(
      joined, rows: 0..<configuration.rowsPerTile, into: output, stride: outputWidth,
      worker: worker)
  }

  /// Layer norm of the residual stream, which stays as it is; the numbers also to `query`, which is free.
  private func normalise(_ norm: LayerNorm, _ worker: Worker) {
    for row in worker.range(of: rows.count) {
      query.row(row).update(from: hidden.row(row), count: width)
    }
    normed.layerNorm(
      query.pointer, weight: norm.weight.pointer, bias: norm.bias.pointer,
      epsilon: configuration.normEpsilon, rows: rows, worker: worker)
  }

  /// Patches of a square one behind the other, row by row.
  private func join(_ worker: Worker) {
    switch configuration.connector {
    case .pixelShuffle(let factor):
      let side = configuration.side
      let share = worker.range(of: configuration.rowsPerTile)
      for index in share {
        let (row, column) = (index / (side / factor), index % (side / factor))
        var target = joined.floats.row(index)
        for down in 0..<factor {
          // Neighbours in a row lie together already.
          let first = (row * factor + down) * side + column * factor
          target.update(from: query.row(first), count: factor * width)
          target += factor * width
        }
      }
      worker.barrier()
      joined.quantize(rows: 0..<configuration.rowsPerTile, worker: worker)
    }
  }
}
