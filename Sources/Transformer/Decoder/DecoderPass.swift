import Kernels

/// The buffers that a decoder's passes work in, and the batch that runs now. Everything is
/// allocated once, for the largest batch.
///
/// The layers read it from several threads; only `Decoder` writes the batch, between passes.
package final class DecoderPass: @unchecked Sendable {
  // Unchecked: one pass at a time, and its barriers order the workers.

  /// Where a row belongs.
  struct Place {
    let position: Int
    let page: UnsafeMutableRawPointer
    let slot: Int
  }

  private let layerCount: Int
  /// The first of the last layers, all of which read earlier ones' keys and values. Nothing of what a row is
  /// there is kept for others, so that only rows with logits go through them; `layerCount` where there are none.
  let tail: Int
  /// Whether rows without logits end before the tail. Not where somebody else keeps account of rows.
  private var dropsRows = false
  private var tailSpanCount = 0
  private(set) var rowCount = 0
  private(set) var segmentCount = 0

  // The residual stream and the blocks' intermediate results, all (rows, width of the name).
  let residual: FloatBuffer
  /// A block's result before its post-norm; only families with post-norms have it.
  let branch: FloatBuffer?
  let normed: Activations
  let query: FloatBuffer
  let key: FloatBuffer
  let value: FloatBuffer
  private let attended: [Activations]  // a layer
  /// What only latent attention needs; nil elsewhere.
  let latent: LatentBuffers?
  /// What only delta-net layers, and the gated attention between them, need; nil elsewhere.
  let deltaNet: DeltaNetBuffers?
  /// What only gated short convolutions need; nil elsewhere.
  let shortConvolution: ShortConvolutionBuffers?
  /// What only Mamba-2 layers need; nil elsewhere.
  let mamba: MambaBuffers?
  /// What layers keep of each segment's sequence instead of keys and values; empty for models without such.
  private var recurrentStates: [RecurrentState] = []
  let gate: FloatBuffer
  let up: FloatBuffer
  private let gated: [Activations]  // a layer
  /// What only embeddings of layers need; nil elsewhere.
  let layerEmbeddings: LayerEmbeddingBuffers?
  /// The buffers of mixtures of experts; only models with such have them.
  let mixture: MixtureBuffers?
  /// What gates chose in this pass, a segment: nil where neither the model nor the segment's adapter
  /// has a gate, whatever the others have. Empty where no segment has one.
  private(set) var gateStatistics: [GateStatistics?] = []
  private var gateRequests: [GateRequest] = []
  /// Whether a token's rows go to the bypass expert of gates that have one; empty if no token's do.
  /// // (vocabulary)
  private let marks: [Bool]
  /// What smoothed gates have seen of each segment's sequence; empty where none is smoothed.
  private var histories: [GateHistories?] = []
  let attentionWeights: AttentionWeights
  /// First row of each segment, and the number of rows at the end.
  private var segmentStarts: [Int] = []

  // The batch, a row: its token, position and segment.
  let tokens: UnsafeMutablePointer<Int32>
  private let positions: UnsafeMutablePointer<Int32>
  private let segments: UnsafeMutablePointer<Int32>
  /// Where rows stand to rotary embeddings, where that is not their position; nil for models without axes.
  private let rotaryRows: RotaryRows?
  /// Rows whose embeddings are given, and those.
  private(set) var given: [(row: Int, embedding: UnsafePointer<Float>)] = []
  /// The position behind the last one that a row sees, of segments with rows that see others behind them.
  private let ends: UnsafeMutablePointer<Int64>
  /// Spans of all segments, layer after layer.
  private let spanStorage: UnsafeMutablePointer<AttentionSpan>
  private let adapterPass: AdapterPass
  /// The adapters of the batch; nil if it has none.
  private(set) var adapters: AdapterPass?
  /// Rows that need logits, in order.
  private(set) var logitRows: [Int] = []

  private let rotary: RotaryTables
  private let attentions: [Attention]
  private let maximumRows: Int

  init(
    configuration: DecoderConfiguration, precision: WeightMatrix.Precision, maximumRows: Int,
    attentions: [Attention], rotary: RotaryTables,
    needsBranch: Bool, workers: Int, mixture: MixtureBuffers? = nil,
    markedTokens: Set<Int32> = []
  ) throws(KernelError) {
    marks =
      markedTokens.isEmpty
      ? [] : (0..<configuration.vocabularySize).map { markedTokens.contains(Int32($0)) }
    self.mixture = mixture
    self.attentions = attentions
    self.rotary = rotary
    self.maximumRows = maximumRows
    attentionWeights = AttentionWeights(workers: workers)
    adapterPass = AdapterPass(workers: workers, maximumRows: maximumRows)
    layerCount = configuration.layers.count
    tail = (configuration.layers.lastIndex { $0.keyValueSource == nil } ?? -1) + 1
    let rows = maximumRows
    let width = configuration.width
    let inner = configuration.widest { configuration.feedForwardWidth(layer: $0) }
    residual = try FloatBuffer(rows: rows, width: width)
    branch = needsBranch ? try FloatBuffer(rows: rows, width: width) : nil
    normed = try Activations(maxRows: rows, width: width, precision: precision)
    query = try FloatBuffer(
      rows: rows, width: configuration.widest { configuration.heads(layer: $0).queryWidth })
    key = try FloatBuffer(
      rows: rows, width: configuration.widest { configuration.heads(layer: $0).keyWidth })
    value = try FloatBuffer(
      rows: rows, width: configuration.widest { configuration.heads(layer: $0).valueWidth })
    attended = try Self.activations(
      widths: configuration.layers.indices.map { configuration.heads(layer: $0).attendedWidth },
      rows: rows, precision: precision)
    latent = try configuration.latent.map { shape throws(KernelError) in
      try LatentBuffers(shape, configuration, precision: precision, rows: rows)
    }
    deltaNet = try configuration.deltaNet.map { shape throws(KernelError) in
      try DeltaNetBuffers(shape, configuration, precision: precision, rows: rows)
    }
    shortConvolution = try configuration.shortConvolution.map { shape throws(KernelError) in
      try ShortConvolutionBuffers(shape, precision: precision, rows: rows)
    }
    mamba = try configuration.mamba.map { shape throws(KernelError) in
      try MambaBuffers(shape, precision: precision, rows: rows)
    }
    gate = try FloatBuffer(rows: rows, width: inner)
    up = try FloatBuffer(rows: rows, width: inner)
    gated = try Self.activations(
      widths: configuration.layers.indices.map { configuration.feedForwardWidth(layer: $0) },
      rows: rows, precision: precision)
    layerEmbeddings = try configuration.layerEmbeddingWidth.map { width throws(KernelError) in
      try LayerEmbeddingBuffers(
        width: width, configuration, precision: precision, rows: rows, workers: workers)
    }
    tokens = .allocate(capacity: rows)
    positions = .allocate(capacity: rows)
    segments = .allocate(capacity: rows)
    ends = .allocate(capacity: rows)
    rotaryRows = try RotaryRows(configuration, rows: rows)
    // A segment has at least one row.
    spanStorage = .allocate(capacity: rows * layerCount)
  }

  /// Activations of these widths, one for all that are alike: one layer works at a time.
  private static func activations(
    widths: [Int], rows: Int, precision: WeightMatrix.Precision
  ) throws(KernelError) -> [Activations] {
    var known: [Int: Activations] = [:]
    for width in widths where known[width] == nil {
      known[width] = try Activations(maxRows: rows, width: width, precision: precision)
    }
    return widths.compactMap { known[$0] }
  }

  deinit {
    tokens.deallocate()
    positions.deallocate()
    segments.deallocate()
    ends.deallocate()
    spanStorage.deallocate()
  }

  /// Takes a batch. Its caches have room for its tokens, and it fits `maximumRows`.
  /// - Parameter histories: One a segment, with room for its tokens; empty where no gate looks at
  ///   the tokens before.
  func begin(
    _ batch: [BatchSegment], histories: [GateHistories?] = []
  ) throws(ModelError) {
    self.histories = histories
    for (segment, history) in zip(batch, histories) where history?.readsAttention ?? false {
      try attentionWeights.reserve(
        positions: segment.cache.count + segment.tokens.count,
        layouts: segment.cache.pool.layout.layers)
    }
    recurrentStates = batch.compactMap(\.cache.recurrentState)
    adapters = try adapterPass.begin(batch) ? adapterPass : nil
    var row = 0
    logitRows.removeAll(keepingCapacity: true)
    segmentCount = batch.count
    let hasGates = mixture != nil || adapters?.hasGates == true
    gateRequests = hasGates ? batch.map(\.gating) : []
    gateStatistics = hasGates ? batch.map { statistics(for: $0) } : []
    segmentStarts.removeAll(keepingCapacity: true)
    dropsRows = tail < layerCount && adapters == nil && !hasGates && histories.isEmpty
    rotaryRows?.begin(rotary.embeddings.first)
    tailSpanCount = 0
    given.removeAll(keepingCapacity: true)
    for (index, segment) in batch.enumerated() {
      let start = segment.cache.count
      if hasGates { segmentStarts.append(row) }
      let count = segment.tokens.count
      let ends = ends(of: segment, row: row)
      for layer in 0..<tail {
        (spanStorage + layer * maximumRows + index).initialize(
          to: AttentionSpan(
            firstRow: row, rowCount: count, firstPosition: start,
            pages: segment.cache.pages(layer: layer), ends: ends))
      }
      let kept = dropsRows ? segment.logitCount : count
      if kept > 0 {
        for layer in tail..<layerCount {
          (spanStorage + layer * maximumRows + tailSpanCount).initialize(
            to: AttentionSpan(
              firstRow: dropsRows ? logitRows.count : row, rowCount: kept,
              firstPosition: start + count - kept, pages: segment.cache.pages(layer: layer),
              ends: ends.map { $0 + count - kept }))
        }
        tailSpanCount += 1
      }
      for (offset, token) in segment.tokens.enumerated() {
        tokens[row + offset] = token
        positions[row + offset] = Int32(truncatingIfNeeded: start + offset)
        segments[row + offset] = Int32(truncatingIfNeeded: index)
      }
      rotaryRows?.append(start..<start + count, spans: segment.embeddings)
      for span in segment.embeddings {
        for position in span.positions.clamped(to: start..<start + count) {
          let source = span.rows.row(span.range.lowerBound + position - span.position)
          given.append((row + position - start, UnsafePointer(source)))
        }
      }
      logitRows.append(contentsOf: row + count - segment.logitCount..<row + count)
      row += count
    }
    rowCount = row
    if hasGates { segmentStarts.append(row) }
  }

  /// What each row of a segment sees, where that is not just what is before it.
  private func ends(of segment: BatchSegment, row: Int) -> UnsafePointer<Int64>? {
    let start = segment.cache.count
    let positions = start..<start + segment.tokens.count
    let wide = segment.embeddings.filter {
      $0.rowsSeeAll && $0.positions.overlaps(positions)
    }
    guard !wide.isEmpty else { return nil }
    let mine = ends + row
    for offset in 0..<positions.count { mine[offset] = Int64(start + offset + 1) }
    for span in wide {
      for position in span.positions.clamped(to: positions) {
        mine[position - start] = Int64(min(span.positions.upperBound, positions.upperBound))
      }
    }
    return UnsafePointer(mine)
  }

  /// Leaves the rows that go through the tail, in their order. Called by every worker before it.
  func dropRows(_ worker: Worker) {
    guard dropsRows, logitRows.count < rowCount else { return }
    worker.barrier()
    if worker.index == 0 {
      // A row's new place is never behind its old one.
      for (index, row) in logitRows.enumerated() where index != row {
        residual.row(index).update(from: residual.row(row), count: residual.width)
        tokens[index] = tokens[row]
        positions[index] = positions[row]
        segments[index] = segments[row]
        rotaryRows?.move(row, to: index)
      }
      if let embedded = layerEmbeddings?.embedded {
        logitRows.map { Int32(truncatingIfNeeded: $0) }.withUnsafeBufferPointer {
          embedded.gather(embedded, rows: $0, into: 0, worker: .alone)
        }
      }
      rowCount = logitRows.count
      logitRows = Array(0..<rowCount)
    }
    worker.barrier()
  }

  /// Room for what the gates of a segment choose, and for no other segment's experts.
  private func statistics(for segment: BatchSegment) -> GateStatistics? {
    let experts = max(
      mixture?.choices.expertCount ?? 0, segment.adapter?.gates?.expertCount ?? 0)
    return experts > 0 ? GateStatistics(layerCount: layerCount, expertCount: experts) : nil
  }

  func position(row: Int) -> Int { Int(positions[row]) }
  func segment(row: Int) -> Int { Int(segments[row]) }
  func attention(layer: Int) -> Attention { attentions[layer] }
  /// What a layer's heads gathered. // (rows, heads * valueDim)
  func attended(layer: Int) -> Activations { attended[layer] }
  /// The gated inner rows of a layer's feed-forward block. // (rows, inner)
  func gated(layer: Int) -> Activations { gated[layer] }
  /// Rotates a row's heads by where it stands. // x (heads, headDim)
  func rotate(_ x: UnsafeMutablePointer<Float>, heads: Int, row: Int, layer: Int) {
    guard let embedding = rotary.embedding(layer: layer) else { return }
    if let rotaryRows {
      rotaryRows.rotate(x, heads: heads, row: row, embedding)
    } else {
      embedding.rotate(x, heads: heads, position: position(row: row))
    }
  }

  func spans(layer: Int) -> UnsafeBufferPointer<AttentionSpan> {
    UnsafeBufferPointer(
      start: spanStorage + layer * maximumRows, count: layer < tail ? segmentCount : tailSpanCount)
  }

  /// A segment's first row, and how many it has.
  func rows(ofSequence segment: Int) -> (first: Int, count: Int) {
    let span = spanStorage + segment
    return (span.pointee.firstRow, span.pointee.rowCount)
  }

  /// What layers keep of a segment's sequence instead of keys and values.
  func recurrentState(segment: Int) -> RecurrentState { recurrentStates[segment] }

  func place(row: Int, layer: Int) -> Place {
    let position = Int(positions[row])
    let span = spanStorage + layer * maximumRows + Int(segments[row])
    return Place(
      position: position, page: span.pointee.pages[position / KVLayout.positions],
      slot: position % KVLayout.positions)
  }

  // MARK: - Gates

  /// Whether gates choose in two steps, `choose` and `settle`.
  var smoothsGates: Bool { !histories.isEmpty }

  func histories(segment: Int) -> GateHistories? {
    histories.isEmpty ? nil : histories[segment]
  }

  /// The rows of a segment. Only kept for models or adapters with gates.
  func rows(segment: Int) -> Range<Int> { segmentStarts[segment]..<segmentStarts[segment + 1] }

  /// What a gate knows of a row besides its numbers.
  func gateKey(row: Int, layer: Int) -> GateKey {
    let request = gateRequests[segment(row: row)]
    return GateKey(
      seed: request.seed, layer: layer, position: position(row: row), expertsK: request.expertsK,
      task: request.task, isMarked: !marks.isEmpty && marks[Int(tokens[row])])
  }

  /// Counts what the layer's gate chose. Called by one worker, once the choices stand.
  func recordGate(layer: Int) {
    guard let mixture else { return }
    for segment in 0..<segmentCount {
      gateStatistics[segment]?.record(
        mixture.choices, rows: rows(segment: segment), layer: layer)
    }
  }

  /// Counts what an adapter's gates, which give so many ids, chose for some rows. Called by one
  /// worker.
  func recordGate(_ choices: GateChoices, rows: Range<Int>, layer: Int, expertCount: Int) {
    for segment in 0..<segmentCount {
      let mine = self.rows(segment: segment).clamped(to: rows)
      guard !mine.isEmpty else { continue }
      gateStatistics[segment]?.record(
        choices, rows: mine, layer: layer, expertCount: expertCount)
    }
  }
}
