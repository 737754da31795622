import Kernels

/// What a gate chose for the rows of a pass, and the scratch it works in. Allocated once.
package final class GateChoices: @unchecked Sendable {
  // Unchecked: each row is written by one worker, and barriers order the readers.

  package let maxRows: Int
  /// Experts, shared and bypass included, that a row has room for.
  package let expertCount: Int
  /// Distance of two rows: a multiple of a cache line, so that workers don't share any.
  let stride: Int
  private let counts: UnsafeMutablePointer<Int32>  // (maxRows)
  private let idStorage: UnsafeMutablePointer<Int32>  // (maxRows, stride)
  // All (maxRows, stride).
  private let weightStorage: FloatBuffer
  private let logitStorage: FloatBuffer
  private let probabilityStorage: FloatBuffer
  private let comparedStorage: FloatBuffer

  /// Room for `maxRows` rows of a gate with `expertCount` experts in all (`Gate.totalExperts`).
  package init(maxRows: Int, expertCount: Int) throws(KernelError) {
    guard expertCount > 0, expertCount < 1 << 24 else {
      throw .invalidDimension(field: "expertCount", value: expertCount)
    }
    guard maxRows > 0, maxRows < 1 << 32 else {
      throw .invalidDimension(field: "maxRows", value: maxRows)
    }
    self.maxRows = maxRows
    self.expertCount = expertCount
    stride = (expertCount + 15) / 16 * 16
    weightStorage = try FloatBuffer(rows: maxRows, width: stride)
    logitStorage = try FloatBuffer(rows: maxRows, width: stride)
    probabilityStorage = try FloatBuffer(rows: maxRows, width: stride)
    comparedStorage = try FloatBuffer(rows: maxRows, width: stride)
    counts = .allocate(capacity: maxRows)
    counts.initialize(repeating: 0, count: maxRows)
    idStorage = .allocate(capacity: maxRows * stride)
    idStorage.initialize(repeating: 0, count: maxRows * stride)
  }

  deinit {
    counts.deallocate()
    idStorage.deallocate()
  }

  /// How many experts the row has.
  package func count(row: Int) -> Int { Int(counts[row]) }

  /// The row's experts, best first; shared ones last.
  package func ids(row: Int) -> UnsafeBufferPointer<Int32> {
    UnsafeBufferPointer(start: idStorage + row * stride, count: Int(counts[row]))
  }

  /// What each of the row's experts counts, in the order of `ids`.
  package func weights(row: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: weightStorage.row(row), count: Int(counts[row]))
  }

  /// What the routed experts' logits became before selection; all of them, by id.
  package func probabilities(row: Int) -> UnsafePointer<Float> {
    UnsafePointer(probabilityStorage.row(row))
  }

  func logits(row: Int) -> UnsafeMutablePointer<Float> { logitStorage.row(row) }

  func scratch(row: Int) -> RowScratch {
    RowScratch(
      count: counts + row, ids: idStorage + row * stride, weights: weightStorage.row(row),
      logits: logitStorage.row(row), probabilities: probabilityStorage.row(row),
      compared: comparedStorage.row(row))
  }

  /// One row's memory. // all (experts)
  struct RowScratch {
    let count: UnsafeMutablePointer<Int32>
    let ids: UnsafeMutablePointer<Int32>
    let weights: UnsafeMutablePointer<Float>
    let logits: UnsafeMutablePointer<Float>
    let probabilities: UnsafeMutablePointer<Float>
    /// What selection compares, where that isn't the probabilities.
    let compared: UnsafeMutablePointer<Float>
  }
}
