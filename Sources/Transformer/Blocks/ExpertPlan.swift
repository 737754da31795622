import Kernels

/// Which rows meet which expert in a layer, in an order that reads each expert's weights once.
///
/// Every pair of a row and an expert that it chose gets a slot: all slots of one expert, then all
/// of the next. Slots are worked off in slices, as many at a time as the buffers hold; the slots
/// of a slice are counted from 0.
final class ExpertPlan {
  /// Slots of one expert that lie together.
  struct Run {
    let expert: Int
    /// Within the slice.
    let slots: Range<Int>
  }

  /// Slots of a slice at most; a multiple of `Activations.rowGroup`.
  private let sliceSize: Int
  private let expertCount: Int
  private let slotLimit: Int
  /// The row of each slot, -1 for those that only fill up a group of rows.
  private let slotRows: UnsafeMutablePointer<Int32>
  private let slotWeights: UnsafeMutablePointer<Float>
  /// First slot and number of slots, an expert.
  private let starts: UnsafeMutablePointer<Int>
  private let counts: UnsafeMutablePointer<Int>
  private var slotCount = 0
  private var runStorage: [Run] = []
  /// Index of each slice's first run, and the number of runs at the end.
  private var sliceRuns: [Int] = []

  /// An expert with so many rows begins at a multiple of `Activations.rowGroup`.
  private static let alignedFrom = Activations.rowGroup / 2

  init(maximumRows: Int, maximumActive: Int, expertCount: Int, sliceSize: Int) {
    self.sliceSize = sliceSize
    self.expertCount = expertCount
    slotLimit =
      maximumRows * maximumActive
      + Activations.rowGroup * min(expertCount, maximumRows * maximumActive)
    slotRows = .allocate(capacity: slotLimit)
    slotWeights = .allocate(capacity: slotLimit)
    starts = .allocate(capacity: expertCount)
    counts = .allocate(capacity: expertCount)
  }

  deinit {
    slotRows.deallocate()
    slotWeights.deallocate()
    starts.deallocate()
    counts.deallocate()
  }

  /// Lays out what the gate chose for the first `rows` rows.
  func make(_ choices: GateChoices, rows: Int) {
    counts.update(repeating: 0, count: expertCount)
    for row in 0..<rows {
      for expert in choices.ids(row: row) { counts[Int(expert)] += 1 }
    }
    layOut()
    slotRows.update(repeating: -1, count: slotCount)
    for row in 0..<rows {
      let weights = choices.weights(row: row)
      for (index, expert) in choices.ids(row: row).enumerated() {
        let slot = starts[Int(expert)]
        slotRows[slot] = Int32(truncatingIfNeeded: row)
        slotWeights[slot] = weights[index]
        starts[Int(expert)] += 1
      }
    }
  }

  /// Gives each expert its slots, and cuts them into slices and runs.
  private func layOut() {
    runStorage.removeAll(keepingCapacity: true)
    sliceRuns.removeAll(keepingCapacity: true)
    var next = 0
    let group = Activations.rowGroup
    for expert in 0..<expertCount where counts[expert] > 0 {
      let count = counts[expert]
      if count >= Self.alignedFrom { next = (next + group - 1) / group * group }
      starts[expert] = next
      let end = next + count
      while next < end {
        let slice = next / sliceSize
        while sliceRuns.count <= slice { sliceRuns.append(runStorage.count) }
        let last = min(end, (slice + 1) * sliceSize)
        let first = slice * sliceSize
        runStorage.append(Run(expert: expert, slots: next - first..<last - first))
        next = last
      }
    }
    slotCount = next
    sliceRuns.append(runStorage.count)
  }

  var sliceCount: Int { max(sliceRuns.count - 1, 0) }

  /// All slots of a slice, counted through.
  func slots(slice: Int) -> Range<Int> {
    let first = min(slice * sliceSize, slotCount)
    return first..<min(first + sliceSize, slotCount)
  }

  func runs(slice: Int) -> ArraySlice<Run> {
    guard slice + 1 < sliceRuns.count else { return [] }
    return runStorage[sliceRuns[slice]..<sliceRuns[slice + 1]]
  }

  func rows(_ slots: Range<Int>) -> UnsafeBufferPointer<Int32> {
    UnsafeBufferPointer(start: slotRows + slots.lowerBound, count: slots.count)
  }

  func weights(_ slots: Range<Int>) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: slotWeights + slots.lowerBound, count: slots.count)
  }
}
