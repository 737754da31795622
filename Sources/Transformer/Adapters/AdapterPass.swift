import Kernels

/// The rows of a batch that adapters change, and the scratch of their products.
///
/// Each worker computes A x itself, for its own share of B's outputs: that is a few rows of A for
/// each worker more, and no barrier. Gates choose for the rows that a worker has just normalised,
/// before a barrier that stands there anyway.
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
  private let maximumRows: Int
  private var runs: [Run] = []
  /// Whether any run is a mixture.
  private(set) var hasGates = false
  /// A x of each worker. // (workers, chunk * sum of ranks)
  private var scratch: FloatBuffer?
  /// What gates chose, in the order of their choice, and by expert; with room for the most experts of
  /// any batch so far. // (rows, experts)
  private(set) var choices: GateChoices?
  private var weights: FloatBuffer?

  init(workers: Int, maximumRows: Int) {
    self.workers = workers
    self.maximumRows = maximumRows
  }

  /// Takes the adapters of a batch; false if it has none.
  func begin(_ batch: [BatchSegment]) throws(ModelError) -> Bool {
    runs.removeAll(keepingCapacity: true)
    var row = 0
    var ranks = 0
    var experts = 0
    for segment in batch {
      let rows = row..<row + segment.tokens.count
      row = rows.upperBound
      guard let adapter = try segment.adapter?.resolved(for: segment.gating) else { continue }
      if let last = runs.last, last.adapter === adapter, last.rows.upperBound == rows.lowerBound {
        runs[runs.count - 1].rows = last.rows.lowerBound..<rows.upperBound
      } else {
        runs.append(Run(adapter: adapter, rows: rows))
      }
      ranks = adapter.experts.reduce(ranks) { max($0, $1.largestRankSum) }
      experts = max(experts, adapter.gates?.expertCount ?? 0)
    }
    hasGates = experts > 0
    guard !runs.isEmpty else { return false }
    // Whole cache lines, so that workers do not share one.
    let width = Self.chunk * ((ranks + 15) / 16 * 16)
    do {
      if scratch?.width ?? 0 < width { scratch = try FloatBuffer(rows: workers, width: width) }
      if choices?.expertCount ?? 0 < experts {
        choices = try GateChoices(maxRows: maximumRows, expertCount: experts)
        weights = try FloatBuffer(rows: maximumRows, width: (experts + 15) / 16 * 16)
      }
    } catch {
      throw .outOfMemory(bytes: max(workers * width, maximumRows * experts * 5) * 4)
    }
    return true
  }

  // MARK: - Gates

  /// Lets the gates of a place choose for `rows`, which this worker has just normalised.
  func choose(
    _ place: AdapterGates.Place, layer: Int, _ pass: DecoderPass, rows: Range<Int>
  ) {
    guard hasGates, let choices, let weights else { return }
    let floats = pass.normed.floats
    for run in runs {
      let mine = run.rows.clamped(to: rows)
      guard !mine.isEmpty, let gate = run.adapter.gates?.gate(place, layer: layer) else {
        continue
      }
      pass.choose(
        gate, at: place.historyPlace, layer: layer, input: floats, rows: mine, into: choices)
      if gate.smoothing == nil { spread(choices, rows: mine, run.adapter, weights) }
    }
  }

  /// The second half of the choice of smoothed gates, after a barrier and for the same rows; a
  /// barrier follows.
  func settle(
    _ place: AdapterGates.Place, layer: Int, _ pass: DecoderPass, rows: Range<Int>
  ) {
    guard hasGates, let choices, let weights else { return }
    for run in runs {
      let mine = run.rows.clamped(to: rows)
      guard !mine.isEmpty, let gate = run.adapter.gates?.gate(place, layer: layer),
        gate.smoothing != nil
      else { continue }
      pass.settle(gate, at: place.historyPlace, layer: layer, rows: mine, into: choices)
      spread(choices, rows: mine, run.adapter, weights)
    }
  }

  /// Puts what rows chose into the order of the experts.
  private func spread(
    _ choices: GateChoices, rows: Range<Int>, _ adapter: Adapter, _ weights: FloatBuffer
  ) {
    for row in rows {
      let byExpert = weights.row(row)
      byExpert.update(repeating: 0, count: adapter.experts.count)
      // The bypass is the base alone: no adapter has its id.
      for (id, weight) in zip(choices.ids(row: row), choices.weights(row: row))
      where id < adapter.experts.count {
        byExpert[Int(id)] = weight
      }
    }
  }

  /// Counts what the gates of a place chose. Called by one worker, once the choices stand.
  private func record(_ place: AdapterGates.Place, layer: Int, _ pass: DecoderPass) {
    guard let choices else { return }
    for run in runs {
      guard let gates = run.adapter.gates, gates.gate(place, layer: layer) != nil else { continue }
      pass.recordGate(choices, rows: run.rows, layer: layer, expertCount: gates.expertCount)
    }
  }

  // MARK: - Products

  /// Adds what the adapters make of `input` to the results of the modules that multiply it. Called
  /// by every worker after its share of the modules' own products; a barrier must follow.
  func add(
    _ kind: AdapterInput, layer: Int, _ pass: DecoderPass, _ input: Activations, worker: Worker,
    destination: (AdaptedModule) -> Destination
  ) {
    guard let scratch else { return }
    let products = scratch.row(worker.index)
    let place = AdapterGates.Place(kind)
    if hasGates, worker.index == 0, kind == .attention || kind == .feedForward {
      record(place, layer: layer, pass)
    }
    for run in runs {
      let gates = run.adapter.gates
      for (index, expert) in run.adapter.experts.enumerated() {
        guard let group = expert.group(layer: layer, kind),
          group.additions.contains(where: { run.adapter.changes($0.module) })
        else { continue }
        var first = run.rows.lowerBound
        while first < run.rows.upperBound {
          var rows = first..<min(first + Self.chunk, run.rows.upperBound)
          first = rows.upperBound
          var factors: UnsafePointer<Float>?
          if gates != nil, let weights {
            factors = UnsafePointer(weights.pointer + index)
            rows = chosen(rows, expert: index, weights)
            guard !rows.isEmpty else { continue }
          }
          let ranks = group.matrix.outputs
          group.matrix.multiply(input, rows: rows, into: products, stride: ranks, worker: .alone)
          for addition in group.additions where run.adapter.changes(addition.module) {
            add(
              addition, products: products, ranks: ranks, rows: rows, factors: factors,
              to: destination(addition.module))
          }
        }
      }
    }
  }

  /// From the first to the last of `rows` that have this expert.
  private func chosen(_ rows: Range<Int>, expert: Int, _ weights: FloatBuffer) -> Range<Int> {
    var first = rows.lowerBound
    var last = rows.upperBound
    while first < last, weights.row(first)[expert] == 0 { first += 1 }
    while last > first, weights.row(last - 1)[expert] == 0 { last -= 1 }
    return first..<last
  }

  /// Adds B's rows, times the products with A, to this worker's share of the outputs.
  /// - Parameter factors: The expert's weight in row r is at `r * weights.width`; nil is 1.
  @inline(__always)
  private func add(
    _ addition: LowRankAdapter.Addition, products: UnsafeMutablePointer<Float>, ranks: Int,
    rows: Range<Int>, factors: UnsafePointer<Float>?, to target: Destination
  ) {
    guard !target.share.isEmpty else { return }
    let mine = products + addition.ranks.lowerBound
    let destination = target.pointer + target.share.lowerBound
    guard let factors, let weights else {
      addition.rows.add(
        from: target.share.lowerBound, times: mine, factorStride: ranks, rowCount: rows.count,
        to: destination + rows.lowerBound * target.stride, stride: target.stride,
        count: target.share.count)
      return
    }
    for row in rows {
      let factor = factors[row * weights.width]
      if factor == 0 { continue }
      let products = mine + (row - rows.lowerBound) * ranks
      VectorOperations.scale(products, by: factor, count: addition.ranks.count)
      addition.rows.add(
        from: target.share.lowerBound, times: products, factorStride: ranks, rowCount: 1,
        to: destination + row * target.stride, stride: target.stride, count: target.share.count)
    }
  }
}
