/// Classes of bytes in HTTP messages (RFC 9110, section 5.6; RFC 9112).
enum ASCII {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20
  static let colon: UInt8 = 0x3A
  static let semicolon: UInt8 = 0x3B
  static let percent: UInt8 = 0x25

  @inline(__always)
  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  /// The value of a hexadecimal digit.
  @inline(__always)
  static func hexValue(_ byte: UInt8) -> UInt8? {
    if byte &- 0x30 < 10 { return byte &- 0x30 }
    let lower = byte | 0x20
    return lower &- 0x61 < 6 ? lower &- 0x61 &+ 10 : nil
  }

  /// Bit n of the low (high) word: byte n (n + 64) may stand in a token.
  private static let tokenBits: (low: UInt64, high: UInt64) = {
    var low: UInt64 = 0
    var high: UInt64 = 0
    let punctuation = Array("!#$%&'*+-.^_`|~".utf8)
    for byte in UInt8(0)..<128 {
      let isLetter = lowercased(byte) &- 0x61 < 26
      guard isLetter || isDigit(byte) || punctuation.contains(byte) else { continue }
      if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
    }
    return (low, high)
  }()

  /// Whether every byte may stand in a token (a method, a field name), and there is one.
  static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard !bytes.isEmpty else { return false }
    let (low, high) = tokenBits
    for byte in bytes {
      guard byte < 128 else { return false }
      let word = byte < 64 ? low : high
      guard (word >> UInt64(byte & 63)) & 1 == 1 else { return false }
    }
    return true
  }

  /// Whether every byte may stand in a field value: anything but control characters, tab aside.
  static func isFieldValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for byte in bytes where (byte < 0x20 && byte != tab) || byte == 0x7F { return false }
    return true
  }

  /// `bytes` without the spaces and tabs around it.
  static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var start = 0
    var end = bytes.count
    while start < end, bytes[start] == space || bytes[start] == tab { start += 1 }
    while end > start, bytes[end - 1] == space || bytes[end - 1] == tab { end -= 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
  }

  /// Whether `bytes` is `text` (which is in lower case), ASCII case aside.
  static func equal(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    for index in 0..<bytes.count where lowercased(bytes[index]) != text.utf8Start[index] {
      return false
    }
    return true
  }
}
