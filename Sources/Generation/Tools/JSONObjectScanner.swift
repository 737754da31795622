/// Follows an object's bytes to its end, without reading what it has.
struct JSONObjectScanner: Sendable {
  enum Step: Equatable {
    case inside
    /// White space between the object's parts, or before it.
    case blank
    /// The object's last brace.
    case end
    /// The text begins with something else.
    case noObject
  }

  private var depth = 0
  private var isInString = false
  private var isEscaped = false

  /// What the next byte is. Behind the end nothing is meant by it.
  mutating func take(_ byte: UInt8) -> Step {
    if isInString {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString = false
      }
      return .inside
    }
    switch byte {
    case 0x20, 0x09, 0x0A, 0x0D: return .blank
    case UInt8(ascii: "{"): depth += 1
    case UInt8(ascii: "}") where depth > 0:
      depth -= 1
      if depth == 0 { return .end }
    case UInt8(ascii: "\"") where depth > 0: isInString = true
    default: if depth == 0 { return .noObject }
    }
    return .inside
  }
}
