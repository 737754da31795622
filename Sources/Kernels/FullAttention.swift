import CKernels

/// Attention without a mask, every row of a text to every other, in bfloat16: for sentence encoders on
/// machines that multiply such numbers.
///
/// Unlike ``Attention`` it keeps no pages: a text's keys and values are stored, used once and gone.
package final class FullAttention: @unchecked Sendable {
  // Unchecked: each worker uses its own part of the scratch, and stores its own positions.

  package let heads: Int
  package let headDim: Int
  package let scale: Float
  private let workers: Int
  private let memory: UnsafeMutableRawPointer
  private let memoryBytes: Int
  private let scratch: UnsafeMutableRawPointer
  private let scratchBytes: Int

  /// Whether this machine can, and is not told to use other instructions.
  package static func isAvailable(headDim: Int) -> Bool {
    InstructionSet.current == .avx512 && tk_full_attention_available() && headDim % 32 == 0
  }

  /// Positions that a text's keys and values take: whole groups.
  package static func room(positions: Int) -> Int { (positions + group - 1) / group * group }

  private static let group = 16

  /// - Parameters:
  ///   - room: Positions there is memory for, as ``room(positions:)`` counts them.
  ///   - maximumPositions: Of the longest text.
  package init(
    heads: Int, headDim: Int, scale: Float, room: Int, maximumPositions: Int, workers: Int
  ) throws(KernelError) {
    guard heads > 0 else { throw .invalidDimension(field: "heads", value: heads) }
    guard headDim > 0, headDim % 32 == 0, headDim <= 4096 else {
      throw .invalidDimension(field: "headDim", value: headDim)
    }
    guard workers > 0 else { throw .invalidDimension(field: "workers", value: workers) }
    guard maximumPositions > 0, room >= maximumPositions else {
      throw .invalidDimension(field: "room", value: room)
    }
    self.heads = heads
    self.headDim = headDim
    self.scale = scale
    self.workers = workers
    // Two bytes a number of a key and of a value.
    memoryBytes = try checkedByteCount(rows: room, width: heads * headDim, bytesPerElement: 4)
    memory = try allocate(memoryBytes)
    let bytes = Int(tk_full_attention_scratch_bytes(Int64(headDim), Int64(maximumPositions)))
    scratchBytes = (bytes + 4095) / 4096 * 4096
    scratch = try allocate(
      try checkedByteCount(rows: workers, width: scratchBytes, bytesPerElement: 1))
  }

  deinit {
    tk_free(memory, memoryBytes)
    tk_free(scratch, workers * scratchBytes)
  }

  /// Stores a worker's share of a text's keys and values. A barrier must follow.
  /// // (positions, heads * headDim), `stride` floats apart
  /// - Parameter place: Where the text's room begins, a multiple of a group.
  package func store(
    keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int, positions: Int,
    place: Int, worker: Worker
  ) {
    let share = worker.range(of: positions, multipleOf: Self.group)
    guard !share.isEmpty else { return }
    tk_full_attention_store(
      Int64(heads), Int64(headDim), Int64(positions), keys, values, Int64(stride),
      Int64(share.lowerBound), Int64(share.upperBound), memory(at: place))
  }

  /// A worker's share of a text's rows; a barrier must follow. The result goes to the activations'
  /// quantised form. // queries (rows, heads * headDim), `stride` floats apart
  package func run(
    queries: UnsafePointer<Float>, stride: Int, firstRow: Int, positions: Int, place: Int,
    into output: Activations, worker: Worker
  ) {
    precondition(output.precision == .quantized && output.width == heads * headDim)
    precondition(worker.index < workers && firstRow + positions <= output.maxRows)
    var request = tk_full_attention(
      heads: Int64(heads), head_dim: Int64(headDim), scale: scale, queries: queries,
      query_stride: Int64(stride), first_row: Int64(firstRow), positions: Int64(positions),
      memory: memory(at: place), quantized: output.blocks,
      quantized_blocks: Int64(output.blocksPerRow))
    tk_full_attention_run(
      &request, Int64(worker.index), Int64(worker.count), scratch + worker.index * scratchBytes)
  }

  private func memory(at place: Int) -> UnsafeMutableRawPointer {
    memory + place * heads * headDim * 4
  }
}
