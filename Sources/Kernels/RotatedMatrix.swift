import CKernels

/// How inputs are taken apart for ``RotatedMatrix`` and ``RotatedActivations``: in groups of 128 that share a
/// scale, and in chunks of three or four groups that are rotated together; and by which instructions.
package struct RotatedShape: Equatable, Sendable {
  package let width: Int
  package let instructionSet: InstructionSet
  /// Groups of a chunk.
  let groups: Int
  let chunks: Int
  var chunkWidth: Int { groups * Int(TK_ROTATED_GROUP) }

  /// Nil where no chunks fit, or there are no such kernels for the instructions.
  package init?(width: Int, instructionSet: InstructionSet = .current) {
    guard instructionSet.rotatedFunctions != nil, width > 0 else { return nil }
    guard let groups = [3, 4].first(where: { width % ($0 * Int(TK_ROTATED_GROUP)) == 0 }) else {
      return nil
    }
    self.width = width
    self.instructionSet = instructionSet
    self.groups = groups
    chunks = width / (groups * Int(TK_ROTATED_GROUP))
  }

  /// The kernels, which `init` saw.
  var functions: tk_rotated_kernels { instructionSet.rotatedFunctions ?? tk_rotated_kernels() }
}

/// Weights of a linear layer in int8, rotated so that 128 inputs share a scale with little loss
/// (QuaRot, arXiv 2404.00456); `Rotated.h` has the layout. // (outputs, inputs)
package final class RotatedMatrix: @unchecked Sendable {
  // Unchecked: written by `init` only.
  package let outputs: Int
  package let shape: RotatedShape
  /// Outputs that are computed together: ranges of outputs begin and end at multiples of it.
  package static let outputStep = Int(TK_ROTATED_PAIR)

  private let arena: WeightArena
  private let packed: tk_rotated_matrix
  private let functions: tk_rotated_kernels

  /// Bytes that a matrix takes of an arena.
  package static func byteCount(outputs: Int, shape: RotatedShape) -> Int {
    Int(tk_rotated_matrix_bytes(Int64(outputs), Int64(shape.chunks), Int64(shape.groups)))
  }

  /// - Parameter parts: Matrices of which one is made, the first one's outputs first; all are of
  ///   `shape`'s width, and their outputs multiples of ``outputStep``. // each (outputs, inputs)
  /// - Parameter arena: Has room for it; where nil, the matrix has memory of its own.
  package init(
    _ parts: [FloatBuffer], shape: RotatedShape, arena: WeightArena? = nil,
    pool: ThreadPool? = nil
  ) throws(KernelError) {
    outputs = parts.reduce(0) { $0 + $1.rows }
    self.shape = shape
    functions = shape.functions
    for part in parts {
      guard part.width == shape.width else {
        throw .invalidDimension(field: "inputs", value: part.width)
      }
      guard part.rows % Self.outputStep == 0 else {
        throw .invalidDimension(field: "outputs", value: part.rows)
      }
    }
    // A weight and its share of the scales take less than two bytes.
    _ = try checkedByteCount(rows: outputs, width: shape.width, bytesPerElement: 2)
    let byteCount = Self.byteCount(outputs: outputs, shape: shape)
    if let arena { self.arena = arena } else { self.arena = try WeightArena(sizes: [byteCount]) }
    let memory = try self.arena.reserve(byteCount)
    packed = tk_rotated_matrix(
      tiles: memory.assumingMemoryBound(to: UInt8.self), outputs: Int64(outputs),
      chunks: Int64(shape.chunks), groups: Int64(shape.groups))
    var firstPair = 0
    for part in parts {
      let pairs = part.rows / Self.outputStep
      let first = firstPair
      func pack(_ worker: Worker) {
        let share = worker.range(of: pairs)
        var matrix = packed
        // The part's first output is the matrix's output of pair `first`.
        let weights = part.pointer - first * Self.outputStep * part.width
        tk_rotated_pack(
          &matrix, weights, Int64(first + share.lowerBound), Int64(first + share.upperBound),
          memory.assumingMemoryBound(to: UInt8.self))
      }
      if let pool { pool.run(pack) } else { pack(.alone) }
      firstPair += pairs
    }
  }

  /// `output` = the products of some outputs with `count` rows of `x` from `row` on, and `bias` and
  /// `addend` where there are. A row's result does not depend on the others.
  /// // output, addend (count, all outputs); bias (all outputs)
  ///
  /// - Parameter addend: May be `output`.
  package func multiply(
    _ x: RotatedActivations, row: Int, count: Int, outputs: Range<Int>,
    into output: UnsafeMutablePointer<Float>, stride: Int, bias: UnsafePointer<Float>? = nil,
    addend: UnsafePointer<Float>? = nil, addendStride: Int = 0
  ) {
    precondition(x.shape == shape && row + count <= x.rows)
    precondition(outputs.lowerBound % Self.outputStep == 0 && outputs.upperBound <= self.outputs)
    precondition(outputs.upperBound % Self.outputStep == 0)
    guard count > 0, !outputs.isEmpty else { return }
    var matrix = packed
    var rows = x.packed
    functions.multiply(
      &matrix, Int64(outputs.lowerBound / Self.outputStep),
      Int64(outputs.upperBound / Self.outputStep), &rows, Int64(row), Int64(count), output,
      Int64(stride), bias, addend, Int64(addendStride))
  }
}
