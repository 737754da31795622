import Kernels
import ModelFiles

/// A loaded decoder: weights, and the buffers of the pass that runs.
///
/// One thread uses it at a time (`Scheduler`'s, as a rule). Each pass takes the next tokens of any
/// number of sequences: the weights are read once for all of their rows.
///
/// ```swift
/// let decoder = try Decoder(file: GGUFFile(path: path), pool: ComputePool(threadCount: 2))
/// let cache = decoder.makeCache()
/// try decoder.forward([BatchSegment(cache: cache, tokens: prompt[...])]) { row in
///   // row.logits: what follows the prompt's last token
/// }
/// ```
package final class Decoder: @unchecked Sendable {
  // Unchecked: used by one thread at a time; what is shared (pool of pages) locks itself.

  package let configuration: DecoderConfiguration
  /// Longest sequence, prompt and answer together.
  package let contextLength: Int
  /// Rows of one pass at most.
  package let maximumRows: Int
  package let pagePool: PagePool
  /// What whoever loads the model should tell its user.
  package let warnings: [String]
  /// Bytes that the packed weights take.
  package let weightBytes: Int
  /// What adapters for this decoder are made from.
  package let adapterTarget: AdapterTarget

  private let pool: ComputePool
  private let embedding: WeightMatrix  // (vocabulary, width)
  private let layers: [DecoderLayer]
  /// Whether a layer's gate looks at the tokens before.
  private let smoothsGates: Bool
  /// What these gates keep for the positions of a cache's block.
  private let historyBytesPerBlock: Int
  private let head: OutputHead
  private let pass: DecoderPass
  private let rotary: RotaryTables

  /// Loads a model of any family in `DecoderRegistry`.
  package convenience init(
    file: GGUFFile, pool: ComputePool, options: DecoderOptions = DecoderOptions()
  ) throws(ModelError) {
    guard let architecture = file.string("general.architecture") else {
      throw .missingKey("general.architecture")
    }
    var options = options
    options.markedTokens = options.markedTokens ?? file.controlTokens
    try self.init(
      architecture: architecture, metadata: file, tensors: file, pool: pool, options: options)
    file.dropPages()
  }

  /// Loads a model whose metadata and tensors need not be from one file.
  package init(
    architecture: String, metadata: any ModelMetadata, tensors: any TensorSource,
    pool: ComputePool, options: DecoderOptions = DecoderOptions()
  ) throws(ModelError) {
    let family = try DecoderRegistry.family(architecture: architecture)
    let placement = ExpertPlacement(
      tensors, options: options, availableBytes: SystemMemory.current.available)
    warnings = placement.warnings
    let loader = WeightLoader(
      source: tensors, precision: options.precision, pool: pool,
      expertStorage: placement.storage)
    let embeddingShape = try loader.shape(of: "token_embd.weight")
    guard embeddingShape.count == 2 else {
      throw .wrongShape(tensor: "token_embd.weight", shape: embeddingShape, expected: [0, 0])
    }
    var configuration = try family.configuration(
      from: ArchitectureMetadata(architecture: architecture, metadata: metadata),
      vocabularySize: embeddingShape[0])
    contextLength = max(
      1, min(options.contextLength ?? configuration.contextLength, configuration.contextLength))
    configuration = try configuration.withRotaryFactors(loader, contextLength: contextLength).with(
      gate: options.gate, feedForwardSlices: options.feedForwardSlices)
    if configuration.mixture?.gate?.hasBypassExpert ?? false, options.markedTokens == nil {
      throw .unsupported(
        key: "gate.bypass_expert", value: "a model whose control tokens are not known")
    }
    self.configuration = configuration
    self.pool = pool
    maximumRows = max(1, min(options.maximumRows, 1 << 16))
    let vocabulary = configuration.vocabularySize
    let width = configuration.width

    embedding = try loader.matrix("token_embd.weight", outputs: vocabulary, inputs: width)
    var layers: [DecoderLayer] = []
    for index in configuration.layers.indices {
      layers.append(try family.layer(index, configuration: configuration, loader: loader))
    }
    self.layers = layers
    historyBytesPerBlock = layers.reduce(0) { sum, layer in
      guard let gate = layer.feedForward?.expertGate else { return sum }
      return sum + GateHistory.bytesPerBlock(gate)
    }
    smoothsGates = historyBytesPerBlock > 0
    adapterTarget = AdapterTarget(
      configuration: configuration, precision: options.precision, layers: layers,
      marksTokens: options.markedTokens != nil)
    let finalNorm = try loader.vector(family.outputNorm + ".weight", count: width)
    // Logits are linear in the final norm, so that a factor on them costs nothing there.
    VectorOperations.scale(finalNorm.pointer, by: configuration.logitScale, count: width)
    let headMatrix =
      loader.contains("output.weight")
      ? try loader.matrix("output.weight", outputs: vocabulary, inputs: width) : embedding
    weightBytes =
      embedding.byteCount + (headMatrix === embedding ? 0 : headMatrix.byteCount)
      + layers.reduce(0) { $0 + $1.byteCount }
    rotary = try RotaryTables(configuration: configuration, limit: contextLength)
    var mixtureShape: MixtureShape?
    for layer in layers {
      mixtureShape = try layer.feedForward?.mixtureShape?.union(mixtureShape) ?? mixtureShape
    }
    let needsBranch =
      configuration.residualScale != 1
      || layers.contains {
        $0.postAttentionNorm != nil || $0.postFeedForwardNorm != nil
      }
    do {
      let layout = try Self.blockLayout(
        configuration,
        elementType: options.keyValueType ?? (options.precision == .float ? .f32 : .f16))
      pagePool = PagePool(
        layout: layout, limitBytes: max(0, options.keyValueLimitBytes),
        recurrentState: configuration.recurrentState)
      var mixture: MixtureBuffers?
      if let mixtureShape {
        mixture = try MixtureBuffers(
          mixtureShape, maximumRows: maximumRows, workers: pool.threadCount,
          precision: options.precision)
      }
      pass = try DecoderPass(
        configuration: configuration, precision: options.precision, maximumRows: maximumRows,
        attentions: try Self.attentions(
          configuration, layouts: layout.layers, workers: pool.threadCount),
        rotary: rotary, needsBranch: needsBranch,
        workers: pool.threadCount, mixture: mixture, markedTokens: options.markedTokens ?? [])
      head = try OutputHead(
        norm: finalNorm, matrix: headMatrix, epsilon: configuration.normEpsilon,
        softcap: configuration.logitSoftcap,
        refines: options.refinesLogits ?? true,
        rowLimit: min(maximumRows, options.logitBytes / (vocabulary * 4)))
    } catch {
      throw .invalidValue(
        key: "general.architecture", value: architecture, expected: "buildable buffers: \(error)")
    }
  }

  private static func blockLayout(
    _ configuration: DecoderConfiguration, elementType: KVLayout.ElementType
  ) throws(KernelError) -> BlockLayout {
    var layouts: [KVLayout] = []
    for layer in configuration.layers.indices {
      let heads = configuration.heads(layer: layer)
      layouts.append(
        try KVLayout(
          keyValueHeads: heads.keyValueCount, headDim: heads.headDim, valueDim: heads.valueDim,
          elementType: elementType))
    }
    return BlockLayout(
      layouts, sources: configuration.layers.map(\.keyValueSource),
      pageless: configuration.layers.map { $0.isRecurrent || !$0.hasMixer })
  }

  /// One attention for each different window and heads, shared by the layers that have them.
  private static func attentions(
    _ configuration: DecoderConfiguration, layouts: [KVLayout], workers: Int
  ) throws(KernelError) -> [Attention] {
    struct Kind: Hashable {
      let slidingWindow: Int?
      let heads: HeadShape
    }
    var known: [Kind: Attention] = [:]
    var attentions: [Attention] = []
    for (index, layer) in configuration.layers.enumerated() {
      let kind = Kind(
        slidingWindow: layer.slidingWindow, heads: configuration.heads(layer: index))
      let attention =
        if let existing = known[kind] { existing } else {
          try Attention(
            layout: layouts[index], heads: configuration.headCount,
            scale: configuration.attentionScale, slidingWindow: layer.slidingWindow,
            softcap: configuration.attentionSoftcap, workers: workers)
        }
      known[kind] = attention
      attentions.append(attention)
    }
    return attentions
  }

  /// An empty cache for a new sequence. What an adapter's gates keep of it is charged from the start;
  /// without that, from its first pass.
  package func makeCache(adapter: Adapter? = nil) -> KVCache {
    KVCache(
      pool: pagePool, historyBytesPerBlock: bytesPerBlock(adapter: adapter) - pagePool.bytesPerBlock
    )
  }

  /// What a block of positions takes of the pool's limit: the keys and values, and what smoothed
  /// gates keep.
  package func bytesPerBlock(adapter: Adapter? = nil) -> Int {
    pagePool.bytesPerBlock + historyBytesPerBlock + (adapter?.historyBytesPerBlock ?? 0)
  }

  /// Whether sequences with this adapter, or none, can begin with blocks of earlier ones. Gates that
  /// are smoothed over a sequence's tokens must have seen all of them themselves. Layers that keep a state
  /// need a snapshot of it where the blocks end.
  package func sharesPrefixes(adapter: Adapter? = nil) -> Bool {
    !smoothsGates && !(adapter?.smoothsGates ?? false)
  }

  /// Whether layers keep a state that can't be cut back to fewer tokens.
  package var isRecurrent: Bool { pagePool.recurrentState != nil }

  /// The cache of a new sequence that begins with blocks of an earlier one; of a model that shares
  /// no prefixes, `forward` refuses it.
  package func makeCache(
    adopting blocks: [KVBlock], snapshot: RecurrentSnapshot? = nil
  ) -> KVCache {
    KVCache(pool: pagePool, adopting: blocks, snapshot: snapshot)
  }

  /// Runs the next tokens of all segments, and hands out the logits that they ask for.
  ///
  /// `receive` is called on the pool's threads, for different rows at the same time.
  package func forward(
    _ batch: [BatchSegment], receive: (LogitRow) -> Void = { _ in }
  ) throws(ModelError) {
    try check(batch)
    var longest = 0
    for segment in batch {
      let positions = segment.cache.count + segment.tokens.count
      try segment.cache.reserve(positions: positions)
      if let state = segment.cache.recurrentState, state.count != segment.cache.count {
        throw .malformedBatch(
          reason: "a state that has not seen the sequence's first \(segment.cache.count) tokens")
      }
      longest = max(longest, positions)
    }
    try rotary.grow(to: longest)
    let histories = try histories(of: batch)
    try pass.begin(batch, histories: histories)
    pool.run { worker in
      embed(worker)
      for index in layers.indices {
        if index == pass.tail { pass.dropRows(worker) }
        if pass.rowCount > 0 { apply(index, worker) }
      }
      head.apply(pass, receive: receive, worker: worker)
    }
    for segment in batch { segment.cache.advance(by: segment.tokens.count) }
    for (segment, history) in zip(batch, histories) { history?.commit(segment.tokens.count) }
  }

  /// What smoothed gates have seen of each segment's sequence, with room for its next tokens; empty
  /// if no gate is smoothed.
  private func histories(of batch: [BatchSegment]) throws(ModelError) -> [GateHistories?] {
    guard smoothsGates || batch.contains(where: { $0.adapter?.smoothsGates ?? false }) else {
      return []
    }
    var histories: [GateHistories?] = []
    for segment in batch { histories.append(try history(of: segment)) }
    return histories
  }

  private func history(of segment: BatchSegment) throws(ModelError) -> GateHistories? {
    let adapter = segment.adapter?.smoothsGates ?? false ? segment.adapter : nil
    guard smoothsGates || adapter != nil else { return nil }
    let cache = segment.cache
    if cache.count == 0, cache.gateHistories?.adapter != adapter?.identity {
      cache.gateHistories = nil
    }
    if cache.count == 0, cache.gateHistories == nil {
      try cache.chargeHistories(
        bytesPerBlock: bytesPerBlock(adapter: adapter) - pagePool.bytesPerBlock)
      cache.gateHistories = GateHistories(
        adapter: adapter?.identity, layerCount: layers.count
      ) { place, layer in
        switch place {
        case .mixture: layers[layer].feedForward?.expertGate
        case .adapterAttention: adapter?.gates?.gate(.attention, layer: layer)
        case .adapterFeedForward: adapter?.gates?.gate(.feedForward, layer: layer)
        }
      }
    }
    guard let history = cache.gateHistories, history.adapter == adapter?.identity,
      history.count == cache.count
    else {
      throw .malformedBatch(
        reason: "a smoothed gate that has not seen the sequence's first \(cache.count) tokens")
    }
    try history.reserve(positions: cache.count + segment.tokens.count)
    return history
  }

  /// The gates of the layers that are mixtures of experts.
  package var gates: [Gate] {
    layers.compactMap { $0.feedForward?.expertGate }
  }

  /// What gates chose for a segment's tokens in the last pass; nil where neither the model nor the
  /// segment's adapter has gates.
  package func gateStatistics(segment: Int) -> GateStatistics? {
    let statistics = pass.gateStatistics
    return statistics.indices.contains(segment) ? statistics[segment] : nil
  }

  private func check(_ batch: [BatchSegment]) throws(ModelError) {
    guard !batch.isEmpty else { throw .malformedBatch(reason: "no segment") }
    var rows = 0
    var seen: Set<ObjectIdentifier> = []
    for segment in batch {
      guard !segment.tokens.isEmpty else { throw .malformedBatch(reason: "an empty segment") }
      guard segment.cache.pool === pagePool else {
        throw .malformedBatch(reason: "the cache of another model")
      }
      guard seen.insert(ObjectIdentifier(segment.cache)).inserted else {
        throw .malformedBatch(reason: "one sequence twice")
      }
      guard segment.adapter?.isMade(for: adapterTarget) ?? true else {
        throw .malformedBatch(reason: "an adapter of another model")
      }
      guard
        EmbeddingSpan.areValid(
          segment.embeddings, width: configuration.imageRowWidth, before: contextLength)
      else {
        throw .malformedBatch(reason: "embeddings that are not the model's, or not in order")
      }
      rows += segment.tokens.count
      guard segment.cache.count + segment.tokens.count <= contextLength else {
        throw .contextExceeded(
          tokens: segment.cache.count + segment.tokens.count, contextLength: contextLength)
      }
      for token in segment.tokens where token < 0 || Int(token) >= configuration.vocabularySize {
        throw .tokenOutOfRange(token: token, vocabularySize: configuration.vocabularySize)
      }
    }
    guard rows <= maximumRows else { throw .batchTooLarge(rows: rows, limit: maximumRows) }
  }

  // MARK: - One pass, run by every worker

  private func embed(_ worker: Worker) {
    let rows = worker.range(of: pass.rowCount)
    for row in rows {
      let destination = pass.residual.row(row)
      embedding.copyRow(Int(pass.tokens[row]), into: destination)
      if configuration.embeddingScale != 1 {
        VectorOperations.scale(
          destination, by: configuration.embeddingScale, count: configuration.width)
      }
    }
    for (row, embedding) in pass.given where rows.contains(row) {
      pass.residual.row(row).update(from: embedding, count: configuration.width)
    }
    if let embedded = pass.layerEmbeddings?.embedded {
      for row in rows {
        embedded.take(
          pass.residual.row(row), stride: configuration.width, rows: row..<row + 1, worker: .alone)
      }
    }
    worker.barrier()
  }

  private func apply(_ index: Int, _ worker: Worker) {
    let layer = layers[index]
    if let attention = layer.attention { apply(attention, of: layer, index, worker) }
    if let feedForward = layer.feedForward { apply(feedForward, of: layer, index, worker) }
    if let embedding = layer.embedding, let branch = pass.branch {
      normalise(nil, worker)
      worker.barrier()
      embedding.apply(pass, output: branch.pointer, worker: worker)
      worker.barrier()
      addBranch(embedding.postNorm, worker)
    }
    let rows = worker.range(of: pass.rowCount)
    if layer.outputScale != 1 {
      for row in rows {
        VectorOperations.scale(
          pass.residual.row(row), by: layer.outputScale, count: configuration.width)
      }
    }
    if index < configuration.deepRows {
      let width = configuration.width
      for (row, embedding) in pass.given where rows.contains(row) {
        VectorOperations.add(
          embedding + (index + 1) * width, to: pass.residual.row(row), count: width,
          worker: .alone)
      }
    }
  }

  private func apply(
    _ attention: any SelfAttention, of layer: DecoderLayer, _ index: Int, _ worker: Worker
  ) {
    let gates = pass.adapters?.hasGates ?? false
    let rows = worker.range(of: pass.rowCount)
    normalise(layer.attentionNorm, keepsFloats: gates || attention.readsFloats, worker)
    if gates { pass.adapters?.choose(.attention, layer: index, pass, rows: rows) }
    worker.barrier()
    if gates, pass.smoothsGates {
      pass.adapters?.settle(.attention, layer: index, pass, rows: rows)
      worker.barrier()
    }
    let attended = target(layer.postAttentionNorm)
    attention.apply(
      pass, output: attended.pointer, accumulate: attended === pass.residual, worker: worker)
    worker.barrier()
    addBranch(layer.postAttentionNorm, worker)
  }

  private func apply(
    _ feedForward: any FeedForward, of layer: DecoderLayer, _ index: Int, _ worker: Worker
  ) {
    let gates = pass.adapters?.hasGates ?? false
    let rows = worker.range(of: pass.rowCount)
    normalise(layer.feedForwardNorm, keepsFloats: gates || feedForward.readsFloats, worker)
    feedForward.prepare(pass, rows: rows)
    if gates { pass.adapters?.choose(.feedForward, layer: index, pass, rows: rows) }
    worker.barrier()
    if pass.smoothsGates {
      feedForward.settle(pass, rows: rows, worker: worker)
      if gates { pass.adapters?.settle(.feedForward, layer: index, pass, rows: rows) }
      worker.barrier()
    }
    let fed = target(layer.postFeedForwardNorm)
    feedForward.apply(
      pass, output: fed.pointer, accumulate: fed === pass.residual, worker: worker)
    worker.barrier()
    addBranch(layer.postFeedForwardNorm, worker)
  }

  /// `normed` becomes the norm of the residual stream, or the stream itself without one. Split by rows, as `addBranch` is, so that
  /// no barrier need stand between them.
  private func normalise(
    _ weight: FloatBuffer?, keepsFloats: Bool = false, _ worker: Worker
  ) {
    guard let weight else {
      pass.normed.take(
        pass.residual.pointer, stride: configuration.width, rows: 0..<pass.rowCount, worker: worker)
      return
    }
    pass.normed.rmsNorm(
      pass.residual.pointer, stride: configuration.width, weight: weight.pointer,
      epsilon: configuration.normEpsilon, rows: 0..<pass.rowCount,
      keepsFloats: keepsFloats, worker: worker)
  }

  /// Where a block's result goes: to the residual stream itself, or to `pass.branch` if there is
  /// something to do with it first.
  private func target(_ postNorm: FloatBuffer?) -> FloatBuffer {
    postNorm == nil && configuration.residualScale == 1
      ? pass.residual : pass.branch ?? pass.residual
  }

  /// Adds a block's result to the residual stream: its norm, where the family has post-norms, and
  /// scaled, where the family scales it.
  private func addBranch(_ weight: FloatBuffer?, _ worker: Worker) {
    let target = target(weight)
    guard target !== pass.residual, let branch = pass.branch else { return }
    for row in worker.range(of: pass.rowCount) {
      let x = branch.row(row)
      if let weight {
        VectorOperations.rmsNorm(
          x, weight: weight.pointer, epsilon: configuration.normEpsilon, into: x, rows: 1,
          width: configuration.width, worker: .alone)
      }
      VectorOperations.add(
        x, times: configuration.residualScale, to: pass.residual.row(row),
        count: configuration.width)
    }
  }
}
