/// GPT-2's printable stand-ins for bytes: a space is written as U+0120, and so on.
enum ByteLevelAlphabet {
  /// The scalar that stands for each byte.
  static let scalars: [UInt32] = {
    var table: [UInt32] = []
    var next: UInt32 = 256
    for byte in UInt32(0)..<256 {
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: table.append(byte)
      default:
        table.append(next)
        next += 1
      }
    }
    return table
  }()

  /// The byte for each stand-in; -1 for scalars that are none. All stand-ins are below 324.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 324)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
    return table
  }()

  /// Writes the bytes that the text stands for into `output`; false if a scalar is no stand-in.
  static func decode(_ text: UnsafeRawBufferPointer, into output: inout [UInt8]) -> Bool {
    output.removeAll(keepingCapacity: true)
    let table = bytes
    var index = 0
    while index < text.count {
      var scalar = Int(text[index])
      index += 1
      if scalar >= 0x80 {
        // Stand-ins are below U+0800, so two bytes.
        guard scalar & 0xE0 == 0xC0, index < text.count, text[index] & 0xC0 == 0x80 else {
          return false
        }
        scalar = (scalar & 0x1F) << 6 | Int(text[index] & 0x3F)
        index += 1
      }
      guard scalar < table.count, table[scalar] >= 0 else { return false }
      output.append(UInt8(truncatingIfNeeded: table[scalar]))
    }
    return true
  }
}
