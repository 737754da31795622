import CKernels

/// The B of a low-rank addition in whole numbers of one byte, in tiles of 16 outputs: a quarter of
/// the memory that floats take, and read from beginning to end. // (outputs / 16, rank, 16)
///
/// A column of B has one scale, which is not in it: whoever makes the tiles multiplies the rows of A
/// by ``scales``, where they cost nothing.
package final class ByteTiles: @unchecked Sendable {
  // Unchecked: written when it is made, read from then on.
  package let outputs: Int
  package let rank: Int
  /// What one step of a column's bytes means. // (rank)
  package let scales: [Float]
  private let pointer: UnsafePointer<Int8>

  package static let tile = 16

  package var byteCount: Int { (outputs + Self.tile - 1) / Self.tile * Self.tile * rank }

  /// - Parameter columns: B transposed, all of it finite. // (rank, outputs)
  package init(rounding columns: FloatBuffer) throws(KernelError) {
    outputs = columns.width
    rank = columns.rows
    let tiles = (outputs + Self.tile - 1) / Self.tile
    let bytes = try checkedByteCount(
      rows: tiles, width: rank * Self.tile, bytesPerElement: 1)
    let memory = try allocate(bytes).assumingMemoryBound(to: Int8.self)
    memory.update(repeating: 0, count: bytes)
    var scales: [Float] = []
    for column in 0..<rank {
      let values = columns.row(column)
      var largest: Float = 0
      for output in 0..<outputs { largest = max(largest, abs(values[output])) }
      let scale = largest / 127
      // Of an empty column the bytes are 0, whatever its scale; and A must not lose its row.
      scales.append(scale.isNormal ? scale : 1)
      guard scale.isNormal else { continue }
      for output in 0..<outputs {
        memory[Self.place(output, column, rank: rank)] = Int8(
          (values[output] / scale).rounded().clamped(to: -127...127))
      }
    }
    self.scales = scales
    pointer = UnsafePointer(memory)
  }

  deinit { tk_free(UnsafeMutablePointer(mutating: pointer), byteCount) }

  /// Where the byte of an output and a column lies.
  private static func place(_ output: Int, _ column: Int, rank: Int) -> Int {
    (output / tile * rank + column) * tile + output % tile
  }

  /// B transposed, with its scales. // (rank, outputs)
  package func floats() throws(KernelError) -> FloatBuffer {
    let found = try FloatBuffer(rows: rank, width: outputs)
    for column in 0..<rank {
      for output in 0..<outputs {
        found[column, output] =
          Float(pointer[Self.place(output, column, rank: rank)]) * scales[column]
      }
    }
    return found
  }

  /// `x[r][i] += sum over k of factors[r][k] * B[first + i][k]`.
  ///
  /// - Parameters:
  ///   - first: The output that `x` begins with, a multiple of ``tile``.
  ///   - factors: The products with A, scales included. // (rowCount, factorStride)
  ///   - x: (rowCount, stride), of which `count` outputs are changed.
  package func add(
    from first: Int, times factors: UnsafePointer<Float>, factorStride: Int, rowCount: Int,
    to x: UnsafeMutablePointer<Float>, stride: Int, count: Int
  ) {
    precondition(first.isMultiple(of: Self.tile) && first >= 0 && first + count <= outputs)
    kernels.add_tiles(
      x, Int64(stride), pointer + first * rank, Int64(rank), factors, Int64(factorStride),
      Int64(rowCount), Int64(count))
  }
}

extension Float {
  fileprivate func clamped(to range: ClosedRange<Float>) -> Float {
    min(max(self, range.lowerBound), range.upperBound)
  }
}
