import CKernels

/// Some rows of one sequence in a batch.
package struct AttentionSpan {
  /// The rows' first, in the query and output buffers.
  package var firstRow: Int
  package var rowCount: Int
  /// Position of `firstRow` in its sequence; the rows' own keys and values are stored already.
  package var firstPosition: Int
  /// Pages of this layer and sequence, in order of positions.
  package var pages: UnsafePointer<UnsafeMutableRawPointer>
  /// The position behind the last one that each row sees, in causal attention; no row's is before the row above's. Nil
  /// for the row's own. // (rowCount)
  package var ends: UnsafePointer<Int64>?

  package init(
    firstRow: Int, rowCount: Int, firstPosition: Int,
    pages: UnsafePointer<UnsafeMutableRawPointer>, ends: UnsafePointer<Int64>? = nil
  ) {
    self.ends = ends
    self.firstRow = firstRow
    self.rowCount = rowCount
    self.firstPosition = firstPosition
    self.pages = pages
  }
}

/// Attention of one layer over paged keys and values, with the workers' scratch memory.
package final class Attention: @unchecked Sendable {
  // Unchecked: each worker uses its own part of the scratch.
  package let layout: KVLayout
  package let heads: Int
  package let scale: Float
  /// Positions that a row sees, itself included; nil: all before it.
  package let slidingWindow: Int?
  package let softcap: Float?
  private let workers: Int
  private let scratchBytes: Int
  private let scratch: UnsafeMutableRawPointer
  /// Where workers share long sequences of few rows: more than 100,000 positions of any model at hand, and memory
  /// only as far as it was ever used.
  private let shared: UnsafeMutableRawPointer
  private static let sharedBytes = 32 << 20
  private let functions: tk_kernels

  package init(
    layout: KVLayout, heads: Int, scale: Float, slidingWindow: Int? = nil, softcap: Float? = nil,
    workers: Int, instructionSet: InstructionSet = .current
  ) throws(KernelError) {
    guard heads > 0, heads % layout.keyValueHeads == 0 else {
      throw .invalidDimension(field: "heads", value: heads)
    }
    if let slidingWindow, slidingWindow < 1 {
      throw .invalidDimension(field: "slidingWindow", value: slidingWindow)
    }
    guard workers > 0 else { throw .invalidDimension(field: "workers", value: workers) }
    self.layout = layout
    self.heads = heads
    self.scale = scale
    self.slidingWindow = slidingWindow
    self.softcap = softcap
    self.workers = workers
    functions = instructionSet.functions
    scratchBytes = (Int(tk_attention_scratch_bytes(layout.native)) + 4095) / 4096 * 4096
    scratch = try allocate(
      try checkedByteCount(rows: workers, width: scratchBytes, bytesPerElement: 1))
    do {
      shared = try allocate(Self.sharedBytes)
    } catch {
      tk_free(scratch, workers * scratchBytes)
      throw error
    }
  }

  deinit {
    tk_free(scratch, workers * scratchBytes)
    tk_free(shared, Self.sharedBytes)
  }

  /// Causal attention of every span's rows, all workers together; a barrier must follow. // queries: (rows, heads, headDim), rows `stride` floats apart
  ///
  /// The output goes to the activations, ready for the output projection: to `floats` under
  /// `.float`, to the quantised form under `.quantized`. Where `valueDim` is no multiple of 32 the
  /// quantised form needs a barrier and `output.quantize` after this (`fillsQuantized` is false).
  ///
  /// `sinks` has a score for each head (finite, in the units of scaled scores): it takes part in
  /// the softmax as a position without a value would.
  package func run(
    queries: UnsafePointer<Float>, stride: Int, spans: UnsafeBufferPointer<AttentionSpan>,
    sinks: UnsafePointer<Float>? = nil, into output: Activations, worker: Worker
  ) {
    run(
      queries: queries, stride: stride, spans: spans, sinks: sinks, keyCount: 0, into: output,
      worker: worker)
  }

  /// Attention without a mask: each row sees positions `0..<keyCount`, for the encoder.
  package func runBidirectional(
    queries: UnsafePointer<Float>, stride: Int, spans: UnsafeBufferPointer<AttentionSpan>,
    keyCount: Int, into output: Activations, worker: Worker
  ) {
    run(
      queries: queries, stride: stride, spans: spans, sinks: nil, keyCount: keyCount, into: output,
      worker: worker)
  }

  /// Whether `run` leaves the quantised form complete.
  package var fillsQuantized: Bool { layout.valueDim % Int(TK_BLOCK) == 0 }

  private func run(
    queries: UnsafePointer<Float>, stride: Int, spans: UnsafeBufferPointer<AttentionSpan>,
    sinks: UnsafePointer<Float>?, keyCount: Int, into output: Activations, worker: Worker
  ) {
    precondition(output.width == heads * layout.valueDim && worker.index < workers)
    let quantizes = output.precision == .quantized && fillsQuantized
    var request = tk_attention()
    request.layout = layout.native
    request.heads = Int32(heads)
    request.scale = scale
    request.softcap = softcap ?? 0
    request.window = Int64(slidingWindow ?? 0)
    request.key_count = Int64(keyCount)
    request.query_stride = Int64(stride)
    request.output_stride = Int64(output.width)
    request.queries = queries
    request.sinks = sinks
    request.output = quantizes ? nil : output.floats.pointer
    request.quantized = quantizes ? output.blocks : nil
    request.quantized_blocks = Int64(output.blocksPerRow)
    request.shared = shared
    request.shared_bytes = Int64(Self.sharedBytes)
    let mine = scratch + worker.index * scratchBytes
    withUnsafeTemporaryAllocation(of: tk_attention_span.self, capacity: spans.count) { native in
      for (index, span) in spans.enumerated() {
        let pages = UnsafeRawPointer(span.pages)
          .assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
        native.initializeElement(
          at: index,
          to: tk_attention_span(
            first_row: Int64(span.firstRow), row_count: Int64(span.rowCount),
            first_position: Int64(span.firstPosition), pages: pages, ends: span.ends))
      }
      functions.attention(
        &request, native.baseAddress, Int64(spans.count), Int64(worker.count),
        Int64(worker.index), Int64(worker.count), mine)
    }
  }
}
