import Kernels
import Transformer

// The passes that a tile takes, each run by every worker. None is longer than a block of one layer, or than a slice of
// its rows where there are many, so that what a decoder is asked for meanwhile gets its turn. Operations on rows are
// split by rows and may follow each other without a barrier; products are split by outputs and stand between barriers.
extension VisionBody {
  private var width: Int { configuration.width }

  /// A tile's way. // output (rows of the tile, rowWidth)
  /// - Parameter pass: Runs what it is given on every worker.
  func run(
    _ tile: RGBImage, into output: UnsafeMutablePointer<Float>,
    pass: ((Worker) -> Void) throws -> Void
  ) throws {
    let buffers = try buffers(for: PatchGrid(of: tile.size, patchSize: configuration.patchSize))
    try pass { embed(tile, buffers, $0) }
    for (index, layer) in layers.enumerated() {
      for slice in buffers.slices { try pass { project(layer, slice, buffers, $0) } }
      for slice in buffers.slices { try pass { attend(layer, slice, buffers, $0) } }
      for slice in buffers.slices { try pass { feedForward(layer, slice, buffers, $0) } }
      for (place, tap) in taps.enumerated() where tap.layer == index {
        let part = output + (1 + place) * connector.outputWidth
        for rows in buffers.rowSlices {
          try pass {
            tap.merger.apply(rows, of: buffers.hidden, buffers, into: part, stride: rowWidth, $0)
          }
        }
      }
    }
    try pass { normalise(finalNorm, 0..<buffers.grid.count, buffers, $0) }
    for rows in buffers.rowSlices {
      try pass {
        connector.apply(
          rows, of: buffers.query, buffers, scratch: buffers.key, into: output, stride: rowWidth,
          $0)
      }
    }
  }

  /// Pixels to the first layer's input.
  private func embed(_ tile: RGBImage, _ buffers: VisionBuffers, _ worker: Worker) {
    embedding.cut(tile, buffers.grid, into: buffers.patches, worker: worker)
    worker.barrier()
    embedding.apply(buffers.patches, buffers.grid, into: buffers.hidden, worker: worker)
  }

  /// Queries of some rows, and their keys and values into the pages.
  private func project(
    _ layer: VisionLayer, _ rows: Range<Int>, _ buffers: VisionBuffers, _ worker: Worker
  ) {
    normalise(layer.attentionNorm, rows, buffers, worker)
    worker.barrier()
    for (projection, target) in [
      (layer.query, buffers.query), (layer.key, buffers.key), (layer.value, buffers.value),
    ] {
      projection.apply(
        buffers.normed, rows: rows, into: target.row(rows.lowerBound), stride: width,
        worker: worker)
    }
    worker.barrier()
    let share = worker.range(of: rows.count)
    let mine = rows.lowerBound + share.lowerBound..<rows.lowerBound + share.upperBound
    guard !mine.isEmpty else { return }
    if let rotor, let rotations = buffers.rotations {
      for row in mine {
        for target in [buffers.query, buffers.key] {
          rotor.rotate(
            target.row(row), heads: configuration.headCount, by: rotations.row(row))
        }
      }
    }
    layout.store(
      keys: buffers.key.row(mine.lowerBound), values: buffers.value.row(mine.lowerBound),
      stride: width, pages: buffers.pages, positions: mine)
  }

  /// `hidden += output(attention)` of some rows, each of which sees all.
  private func attend(
    _ layer: VisionLayer, _ slice: Range<Int>, _ buffers: VisionBuffers, _ worker: Worker
  ) {
    let attended = buffers.attended
    let span = AttentionSpan(
      firstRow: slice.lowerBound, rowCount: slice.count, firstPosition: slice.lowerBound,
      pages: UnsafePointer(buffers.pages))
    withUnsafePointer(to: span) { span in
      attention.runBidirectional(
        queries: buffers.query.pointer, stride: width,
        spans: UnsafeBufferPointer(start: span, count: 1), keyCount: buffers.grid.count,
        into: attended, worker: worker)
    }
    worker.barrier()
    if !attention.fillsQuantized {
      attended.quantize(rows: slice, worker: worker)
      worker.barrier()
    }
    layer.output.apply(
      attended, rows: slice, into: buffers.hidden.row(slice.lowerBound), stride: width,
      accumulate: true, worker: worker)
  }

  /// `hidden += contraction(gelu(expansion(norm(hidden))))` of some rows.
  private func feedForward(
    _ layer: VisionLayer, _ slice: Range<Int>, _ buffers: VisionBuffers, _ worker: Worker
  ) {
    let innerWidth = configuration.feedForwardWidth
    normalise(layer.feedForwardNorm, slice, buffers, worker)
    worker.barrier()
    layer.expansion.apply(
      buffers.normed, rows: slice, into: buffers.inner.pointer, stride: innerWidth,
      worker: worker)
    buffers.activated.gated(
      buffers.inner.pointer, nil, stride: innerWidth, function: .geluTanh, rows: 0..<slice.count,
      after: layer.expansion.matrix, worker: worker)
    worker.barrier()
    layer.contraction.apply(
      buffers.activated, rows: 0..<slice.count, into: buffers.hidden.row(slice.lowerBound),
      stride: width, accumulate: true, worker: worker)
  }

  /// Layer norms of rows of the residual stream, which stays as it is; the numbers also to `query`, which is free.
  private func normalise(
    _ norm: LayerNorm, _ slice: Range<Int>, _ buffers: VisionBuffers, _ worker: Worker
  ) {
    for index in worker.range(of: slice.count) {
      let row = slice.lowerBound + index
      buffers.query.row(row).update(from: buffers.hidden.row(row), count: width)
    }
    buffers.normed.layerNorm(
      buffers.query.pointer, weight: norm.weight.pointer, bias: norm.bias.pointer,
      epsilon: configuration.normEpsilon, rows: slice, worker: worker)
  }
}
