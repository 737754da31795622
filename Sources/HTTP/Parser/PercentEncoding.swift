/// Percent-encoding of targets (RFC 3986, section 2.1).
enum PercentEncoding {
  /// `text` decoded. An escape that is none stays as it is; bytes that are not UTF-8 become
  /// replacement characters. The parser refuses both in a request's path.
  static func decode(_ text: some StringProtocol, plusIsSpace: Bool) -> String {
    let source = text.utf8
    guard source.contains(where: { $0 == ASCII.percent || (plusIsSpace && $0 == 0x2B) }) else {
      return String(text)
    }
    let bytes = Array(source)
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byte == ASCII.percent, index + 2 < bytes.count,
        let high = ASCII.hexValue(bytes[index + 1]), let low = ASCII.hexValue(bytes[index + 2])
      {
        output.append(high << 4 | low)
        index += 3
      } else {
        output.append(plusIsSpace && byte == 0x2B ? ASCII.space : byte)
        index += 1
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// Whether every `%` in `bytes` begins an escape, and none of them is NUL.
  static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    while index < bytes.count {
      guard bytes[index] == ASCII.percent else {
        index += 1
        continue
      }
      guard index + 2 < bytes.count, let high = ASCII.hexValue(bytes[index + 1]),
        let low = ASCII.hexValue(bytes[index + 2]), high | low != 0
      else { return false }
      index += 3
    }
    return true
  }
}
