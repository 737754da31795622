import Kernels

/// How much single rows of a pass attend to the tokens before, for gates that are smoothed by that
/// (Attention-aware SMoE): a layer's attention, averaged over its heads. Where a window hides
/// positions their weight is 0; a sink takes none.
final class AttentionWeights: @unchecked Sendable {
  // Unchecked: each worker uses its own row.

  private let workers: Int
  /// Weights, then what `KVLayout.averageAttention` works in. // (workers, width)
  private var buffer: FloatBuffer?
  /// Positions that there is room for.
  private var capacity = 0

  init(workers: Int) { self.workers = workers }

  /// Room for rows that see so many positions.
  func reserve(positions: Int, layouts: [KVLayout]) throws(ModelError) {
    guard positions > capacity else { return }
    let room = (max(positions, 2 * capacity) + 63) / 64 * 64
    let scratch = layouts.reduce(0) { max($0, $1.attentionScratchCount(positions: room)) }
    let width = room + (scratch + 15) / 16 * 16
    do {
      buffer = try FloatBuffer(rows: workers, width: width)
      capacity = room
    } catch {
      throw ModelError.outOfMemory(bytes: workers * width * 4)
    }
  }

  /// The weights of a row of `pass` whose attention is done; valid until this worker's next call.
  /// // (positions up to the row's own)
  func weights(of row: Int, layer: Int, _ pass: DecoderPass, worker: Worker) -> UnsafePointer<
    Float
  >? {
    guard let weights = buffer?.row(worker.index) else { return nil }
    let attention = pass.attention(layer: layer)
    let position = pass.position(row: row)
    let first = attention.slidingWindow.map { max(0, position + 1 - $0) } ?? 0
    attention.layout.averageAttention(
      query: pass.query.pointer + row * attention.heads * attention.layout.headDim,
      heads: attention.heads, scale: attention.scale,
      positions: first..<position + 1,
      pages: pass.spans(layer: layer)[pass.segment(row: row)].pages,
      scratch: weights + capacity, into: weights)
    return UnsafePointer(weights)
  }
}
