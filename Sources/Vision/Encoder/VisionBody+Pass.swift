import Kernels
import Transformer

// The passes that a tile takes, each run by every worker. None is longer than a block of one layer, or than a slice of
// its rows where there are many, so that what a decoder is asked for meanwhile gets its turn. Operations on rows are
// split by rows and may follow each other without a barrier; products are split by outputs and stand between barriers.
extension VisionBody {
  private var width: Int { configuration.width }
  private var rows: Range<Int> { 0..<configuration.patchCount }

  /// A tile's way. // output (rowsPerTile, outputWidth)
  /// - Parameter pass: Runs what it is given on every worker.
  func run(
    _ tile: RGBImage, into output: UnsafeMutablePointer<Float>,
    pass: ((Worker) -> Void) throws -> Void
  ) rethrows {
    try pass { embed(tile, $0) }
    for layer in layers {
      try pass { project(layer, $0) }
      for slice in slices { try pass { attend(layer, slice, $0) } }
      for slice in slices { try pass { feedForward(layer, slice, $0) } }
    }
    try pass { connect(into: output, $0) }
  }

  /// Pixels to the first layer's input.
  private func embed(_ tile: RGBImage, _ worker: Worker) {
    embedding.cut(tile, into: patches, worker: worker)
    worker.barrier()
    embedding.apply(patches, into: hidden, worker: worker)
  }

  /// Queries of all rows, and their keys and values into the pages.
  private func project(_ layer: VisionLayer, _ worker: Worker) {
    normalise(layer.attentionNorm, rows, worker)
    worker.barrier()
    layer.query.apply(normed, rows: rows, into: query.pointer, stride: width, worker: worker)
    layer.key.apply(normed, rows: rows, into: key.pointer, stride: width, worker: worker)
    layer.value.apply(normed, rows: rows, into: value.pointer, stride: width, worker: worker)
    worker.barrier()
    store(worker.range(of: rows.count))
  }

  /// `hidden += output(attention)` of some rows, each of which sees all.
  private func attend(_ layer: VisionLayer, _ slice: Range<Int>, _ worker: Worker) {
    let span = AttentionSpan(
      firstRow: slice.lowerBound, rowCount: slice.count, firstPosition: slice.lowerBound,
      pages: UnsafePointer(pages))
    withUnsafePointer(to: span) { span in
      attention.runBidirectional(
        queries: query.pointer, stride: width, spans: UnsafeBufferPointer(start: span, count: 1),
        keyCount: rows.count, into: attended, worker: worker)
    }
    worker.barrier()
    if !attention.fillsQuantized {
      attended.quantize(rows: slice, worker: worker)
      worker.barrier()
    }
    layer.output.apply(
      attended, rows: slice, into: hidden.row(slice.lowerBound), stride: width, accumulate: true,
      worker: worker)
  }

  /// `hidden += contraction(gelu(expansion(norm(hidden))))` of some rows.
  private func feedForward(_ layer: VisionLayer, _ slice: Range<Int>, _ worker: Worker) {
    let innerWidth = configuration.feedForwardWidth
    normalise(layer.feedForwardNorm, slice, worker)
    worker.barrier()
    layer.expansion.apply(
      normed, rows: slice, into: inner.pointer, stride: innerWidth, worker: worker)
    activated.gated(
      inner.pointer, nil, stride: innerWidth, function: .geluTanh, rows: 0..<slice.count,
      after: layer.expansion.matrix, worker: worker)
    worker.barrier()
    layer.contraction.apply(
      activated, rows: 0..<slice.count, into: hidden.row(slice.lowerBound), stride: width,
      accumulate: true, worker: worker)
  }

  /// The last layer's output to the language model's embeddings.
  private func connect(into output: UnsafeMutablePointer<Float>, _ worker: Worker) {
    normalise(finalNorm, rows, worker)
    worker.barrier()
    connector.apply(query, scratch: key, into: output, worker)
  }

  /// Layer norms of rows of the residual stream, which stays as it is; the numbers also to `query`, which is free.
  private func normalise(_ norm: LayerNorm, _ slice: Range<Int>, _ worker: Worker) {
    for index in worker.range(of: slice.count) {
      let row = slice.lowerBound + index
      query.row(row).update(from: hidden.row(row), count: width)
    }
    normed.layerNorm(
      query.pointer, weight: norm.weight.pointer, bias: norm.bias.pointer,
      epsilon: configuration.normEpsilon, rows: slice, worker: worker)
  }
}
