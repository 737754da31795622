/// Cuts text at special tokens written out in it: at each place the longest that matches.
package struct SpecialTokenSplitter: Sendable {
  package enum Piece: Equatable {
    case text(Range<Int>)
    case token(Int32)
  }

  private var table: ByteStringTable
  private var ids: [Int32] = []
  /// The lengths of the tokens that begin with each byte, longest first, so that a place in the
  /// text costs a look-up a length and not a comparison a token: Gemma has 6,242 `<unused…>`.
  private var lengths: [[Int]] = Array(repeating: [], count: 256)

  package init(_ tokens: [(id: Int32, bytes: [UInt8])]) {
    table = ByteStringTable(
      capacity: tokens.count, byteCapacity: tokens.reduce(0) { $0 + $1.bytes.count })
    for token in tokens {
      guard let first = token.bytes.first else { continue }
      table.append(token.bytes)
      ids.append(token.id)
      if !lengths[Int(first)].contains(token.bytes.count) {
        lengths[Int(first)].append(token.bytes.count)
      }
    }
    for index in lengths.indices { lengths[index].sort(by: >) }
  }

  /// The pieces in order; no text piece is empty.
  package func split(_ text: UnsafeRawBufferPointer) -> [Piece] {
    var pieces: [Piece] = []
    var start = 0
    var index = 0
    if !ids.isEmpty {
      search: while index < text.count {
        for length in lengths[Int(text[index])] where length <= text.count - index {
          let found = table.find(UnsafeRawBufferPointer(rebasing: text[index..<index + length]))
          guard found >= 0 else { continue }
          if start < index { pieces.append(.text(start..<index)) }
          pieces.append(.token(ids[Int(found)]))
          index += length
          start = index
          continue search
        }
        index += 1
      }
    }
    if start < text.count { pieces.append(.text(start..<text.count)) }
    return pieces
  }
}
