import Kernels

/// The rows of a batch that adapters change, and the scratch of their products.
///
/// Each worker computes A x itself, for its own share of B's outputs: that is a few rows of A for
/// each worker more, and no barrier.
final class AdapterPass: @unchecked Sendable {
  // Unchecked: as DecoderPass, whose part it is.

  /// Neighbouring rows with the same adapter.
  struct Run {
    let adapter: Adapter
    var rows: Range<Int>
  }

  /// Where a module's results go, and which of its outputs this worker computes.
  struct Destination {
    let pointer: UnsafeMutablePointer<Float>  // (rows, stride)
    let stride: Int
    let share: Range<Int>

    @inline(__always)
    init(
      _ projection: Projection, _ pointer: UnsafeMutablePointer<Float>, stride: Int,
      _ worker: Worker
    ) {
      self.pointer = pointer
      self.stride = stride
      share = projection.matrix.outputShare(worker)
    }
  }

  /// Rows whose products with A are computed together.
  private static let chunk = 48

  private let workers: Int
  private var runs: [Run] = []
  /// A x of each worker. // (workers, chunk * sum of ranks)
  private var scratch: FloatBuffer?

  init(workers: Int) { self.workers = workers }

  /// Takes the adapters of a batch; false if it has none.
  func begin(_ batch: [BatchSegment]) throws(ModelError) -> Bool {
    runs.removeAll(keepingCapacity: true)
    var row = 0
    var ranks = 0
    for segment in batch {
      let rows = row..<row + segment.tokens.count
      row = rows.upperBound
      guard let adapter = segment.adapter else { continue }
      if let last = runs.last, last.adapter === adapter, last.rows.upperBound == rows.lowerBound {
        runs[runs.count - 1].rows = last.rows.lowerBound..<rows.upperBound
      } else {
        runs.append(Run(adapter: adapter, rows: rows))
      }
      ranks = adapter.experts.reduce(ranks) { max($0, $1.largestRankSum) }
    }
    guard !runs.isEmpty else { return false }
    // A cache line to itself, so that workers do not share one.
    let width = Self.chunk * ((ranks + 15) / 16 * 16)
    if scratch?.width ?? 0 < width {
      do {
        scratch = try FloatBuffer(rows: workers, width: width)
      } catch {
        throw .outOfMemory(bytes: workers * width * 4)
      }
    }
    return true
  }

  /// Adds what the adapters make of `input` to the results of the modules that multiply it. Called
  /// by every worker after its share of the modules' own products; a barrier must follow.
  func add(
    _ kind: AdapterInput, layer: Int, _ input: Activations, worker: Worker,
    destination: (AdaptedModule) -> Destination
  ) {
    guard let scratch else { return }
    let products = scratch.row(worker.index)
    for run in runs {
      for expert in run.adapter.experts {
        guard let group = expert.group(layer: layer, kind) else { continue }
        var first = run.rows.lowerBound
        while first < run.rows.upperBound {
          let rows = first..<min(first + Self.chunk, run.rows.upperBound)
          add(group, rows, input, products, destination)
          first = rows.upperBound
        }
      }
    }
  }

  private func add(
    _ group: LowRankAdapter.Group, _ rows: Range<Int>, _ input: Activations,
    _ products: UnsafeMutablePointer<Float>, _ destination: (AdaptedModule) -> Destination
  ) {
    let ranks = group.matrix.outputs
    group.matrix.multiply(input, rows: rows, into: products, stride: ranks, worker: .alone)
    for addition in group.additions {
      let target = destination(addition.module)
      guard !target.share.isEmpty else { continue }
      let width = addition.rows.width
      for row in rows {
        VectorOperations.add(
          rows: addition.rows.pointer + target.share.lowerBound, stride: width,
          times: products + (row - rows.lowerBound) * ranks + addition.ranks.lowerBound,
          rowCount: addition.ranks.count,
          to: target.pointer + row * target.stride + target.share.lowerBound,
          count: target.share.count)
      }
    }
  }
}
