import CKernels

/// Attention without a mask, every row of a text to every other, in whole numbers: for sentence encoders.
///
/// Unlike ``Attention`` it keeps no pages: a text's keys and values are stored, used once and gone.
package final class FullAttention: @unchecked Sendable {
  // Unchecked: whoever runs a pass decides which worker stores and computes what, and each worker
  // has its own part of the scratch.

  package let heads: Int
  package let headDim: Int
  package let scale: Float
  private let workers: Int
  private let room: Int
  private let memory: UnsafeMutableRawPointer
  private let memoryBytes: Int
  private let scratch: UnsafeMutableRawPointer
  private let scratchBytes: Int
  private let functions: tk_rotated_kernels

  /// Positions of a text at most: sums of more might not fit 32 bits.
  package static let mostPositions = Int(TK_FULL_POSITIONS)

  /// Whether there are kernels for the instructions, and for these sizes.
  package static func isAvailable(
    headDim: Int, maximumPositions: Int, instructionSet: InstructionSet = .current
  ) -> Bool {
    instructionSet.rotatedFunctions != nil && headDim % 32 == 0
      && maximumPositions <= mostPositions
  }

  /// Positions that a text's keys and values take: whole groups.
  package static func room(positions: Int) -> Int { (positions + group - 1) / group * group }

  private static let group = 32

  /// One text's keys and values, of one of two layers that follow each other.
  package struct Place: Sendable {
    /// Where its room begins: the sum of the rooms of the texts before it.
    package let position: Int
    package let layer: Int

    package init(position: Int, layer: Int) {
      self.position = position
      self.layer = layer
    }
  }

  /// - Parameter room: Positions there is memory for, as ``room(positions:)`` counts them.
  /// - Parameter instructionSet: One for which ``isAvailable(headDim:maximumPositions:instructionSet:)``.
  package init(
    heads: Int, headDim: Int, scale: Float, room: Int, workers: Int,
    instructionSet: InstructionSet = .current
  ) throws(KernelError) {
    guard let functions = instructionSet.rotatedFunctions else {
      throw .instructionsUnavailable(name: instructionSet.name)
    }
    self.functions = functions
    guard heads > 0 else { throw .invalidDimension(field: "heads", value: heads) }
    guard headDim > 0, headDim % 32 == 0, headDim <= 4096 else {
      throw .invalidDimension(field: "headDim", value: headDim)
    }
    guard workers > 0 else { throw .invalidDimension(field: "workers", value: workers) }
    guard room > 0, room % Self.group == 0 else {
      throw .invalidDimension(field: "room", value: room)
    }
    self.heads = heads
    self.headDim = headDim
    self.scale = scale
    self.workers = workers
    self.room = room
    // A text's bytes are in proportion to its room.
    let each = Int(
      tk_full_attention_bytes(Int64(heads), Int64(headDim), Int64(Self.group)) / Int64(Self.group))
    memoryBytes = try checkedByteCount(rows: 2 * room, width: each, bytesPerElement: 1)
    memory = try allocate(memoryBytes)
    let bytes = Int(
      tk_full_attention_scratch_bytes(Int64(headDim), Int64(min(room, Self.mostPositions))))
    scratchBytes = (bytes + 4095) / 4096 * 4096
    scratch = try allocate(
      try checkedByteCount(rows: workers, width: scratchBytes, bytesPerElement: 1))
  }

  deinit {
    tk_free(memory, memoryBytes)
    tk_free(scratch, workers * scratchBytes)
  }

  /// Stores some positions of a text for some heads. Before heads are attended to, all positions must be
  /// there. // keys, values (positions, heads * headDim), `stride` floats apart
  ///
  /// - Parameter positions: Begin at an even number, and end at one or with the text.
  package func store(
    keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int, count: Int,
    positions: Range<Int>, heads: Range<Int>, place: Place
  ) {
    precondition(positions.lowerBound % 2 == 0)
    precondition(positions.upperBound % 2 == 0 || positions.upperBound == count)
    guard !positions.isEmpty else { return }
    var request = request(count: count, place: place)
    functions.attention_store(
      &request, Int64(heads.lowerBound), Int64(heads.upperBound), Int64(positions.lowerBound),
      Int64(positions.upperBound), keys, values, Int64(stride))
  }

  /// Some rows of a text for some heads. // queries, output (count, heads * headDim), `stride` floats apart
  ///
  /// - Parameter output: May be `queries`.
  package func run(
    queries: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, stride: Int, count: Int,
    rows: Range<Int>, heads: Range<Int>, place: Place, worker: Worker
  ) {
    precondition(worker.index < workers && rows.upperBound <= count)
    guard !rows.isEmpty else { return }
    var request = request(count: count, place: place)
    request.queries = queries
    request.query_stride = Int64(stride)
    request.output = output
    request.output_stride = Int64(stride)
    functions.attention_run(
      &request, Int64(heads.lowerBound), Int64(heads.upperBound), Int64(rows.lowerBound),
      Int64(rows.upperBound), scratch + worker.index * scratchBytes)
  }

  private func request(count: Int, place: Place) -> tk_full_attention {
    precondition(count <= Self.mostPositions)
    precondition(place.position % Self.group == 0)
    precondition(place.position + Self.room(positions: count) <= room)
    var request = tk_full_attention()
    request.head_dim = Int64(headDim)
    request.positions = Int64(count)
    request.scale = scale
    let half = place.layer % 2 * (memoryBytes / 2)
    request.memory = memory + half + place.position * (memoryBytes / 2 / room)
    return request
  }
}
