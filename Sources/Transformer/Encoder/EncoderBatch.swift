import Kernels

/// The texts of one pass, one after the other.
///
/// Every text begins in an even row, since kernels store values by twos; the row that an odd one leaves
/// free holds token 0, and what becomes of it nobody reads.
final class EncoderBatch: @unchecked Sendable {
  // Unchecked: filled between passes, read by the workers of one.

  struct Text {
    let firstRow: Int
    let count: Int
    /// Where its room begins among the positions that keys and values are stored for.
    let place: Int

    var rows: Range<Int> { firstRow..<firstRow + count }
  }

  /// Rows of one pass at most; even.
  let maximumRows: Int
  /// Positions of all texts that one pass may take, each in a room of its own.
  let room: Int
  /// Rooms are multiples of it.
  private let roomUnit: Int
  private(set) var texts: [Text] = []
  private(set) var rowCount = 0
  let tokens: UnsafeMutablePointer<Int32>
  /// A row's place in its text.
  let positions: UnsafeMutablePointer<Int32>

  init(maximumRows: Int, roomUnit: Int) {
    self.maximumRows = (maximumRows + 1) / 2 * 2
    self.roomUnit = roomUnit
    // A short text takes a room of its own: allow for some beyond what full ones need.
    room = ((self.maximumRows + roomUnit - 1) / roomUnit + 16) * roomUnit
    tokens = .allocate(capacity: self.maximumRows)
    positions = .allocate(capacity: self.maximumRows)
    tokens.initialize(repeating: 0, count: self.maximumRows)
    positions.initialize(repeating: 0, count: self.maximumRows)
  }

  deinit {
    tokens.deallocate()
    positions.deallocate()
  }

  /// Takes as many of the texts as fit, and gives their number: at least one.
  func begin(_ batch: ArraySlice<[Int32]>) -> Int {
    texts.removeAll(keepingCapacity: true)
    rowCount = 0
    var place = 0
    for tokens in batch {
      let rows = (tokens.count + 1) / 2 * 2
      let needed = (tokens.count + roomUnit - 1) / roomUnit * roomUnit
      guard rowCount + rows <= maximumRows, place + needed <= room else { break }
      for offset in 0..<rows {
        let isToken = offset < tokens.count
        self.tokens[rowCount + offset] = isToken ? tokens[tokens.startIndex + offset] : 0
        positions[rowCount + offset] = isToken ? Int32(truncatingIfNeeded: offset) : 0
      }
      texts.append(Text(firstRow: rowCount, count: tokens.count, place: place))
      rowCount += rows
      place += needed
    }
    return texts.count
  }
}
