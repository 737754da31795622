/// Finds where an object ends in text that comes in pieces, without reading what it has.
struct JSONObjectEnd: Sendable {
  enum Found: Equatable {
    /// It has not ended.
    case open
    /// The place behind its last brace.
    case end(Int)
    /// The text begins with something else.
    case noObject
  }

  /// Bytes that were looked at.
  private var place = 0
  private var depth = 0
  private var isInString = false
  private var isEscaped = false
  private var end: Int?

  /// - Parameter bytes: All that has come; what was there the last time is not looked at again.
  mutating func find(in bytes: [UInt8]) -> Found {
    if let end { return .end(end) }
    while place < bytes.count {
      let byte = bytes[place]
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
      } else {
        switch byte {
        case UInt8(ascii: "\"") where depth > 0: isInString = true
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "}") where depth > 0:
          depth -= 1
          if depth == 0 {
            end = place + 1
            return .end(place + 1)
          }
        case 0x20, 0x09, 0x0A, 0x0D: break
        default: if depth == 0 { return .noObject }
        }
      }
      place += 1
    }
    return .open
  }
}
