/// Ids in, text out as it becomes complete: the bytes of a character that spans several tokens
/// are held back until its last one. Special tokens are not shown.
///
/// The pieces concatenated, `finish()` included, equal `decode` of all ids at once.
package struct StreamingDetokenizer: Sendable {
  private let tokenizer: any Tokenizer
  private var pending: [UInt8] = []
  private var atStart = true

  package init(_ tokenizer: any Tokenizer) { self.tokenizer = tokenizer }

  /// The text that this token completes; often empty in the middle of a character.
  package mutating func append(_ id: Int32) -> String {
    if tokenizer.isSpecial(id) { return "" }
    var bytes = tokenizer.bytes(of: id)
    if atStart, !bytes.isEmpty {
      atStart = false
      if tokenizer.addsSpacePrefix, bytes.first == UInt8(ascii: " ") { bytes.removeFirst() }
    }
    pending += bytes
    let complete = UTF8Boundary.completeCount(pending[...])
    guard complete > 0 else { return "" }
    let text = String(decoding: pending[..<complete], as: UTF8.self)
    pending.removeFirst(complete)
    return text
  }

  /// What is left at the end: U+FFFD where the last character never became complete.
  package mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }
}

/// Where a byte string can be cut without cutting a character.
enum UTF8Boundary {
  /// The number of leading bytes that hold only whole characters or certainly broken ones: all
  /// but an unfinished character at the end, of which more bytes may come.
  static func completeCount(_ bytes: ArraySlice<UInt8>) -> Int {
    for back in 1...3 where back <= bytes.count {
      let lead = bytes[bytes.endIndex - back]
      if lead & 0xC0 == 0x80 { continue }
      guard let length = length(lead: lead), length > back else { return bytes.count }
      // An ill-formed second byte means that nothing that comes can complete it.
      if back >= 2, !secondByteIsValid(lead, bytes[bytes.endIndex - back + 1]) {
        return bytes.count
      }
      return bytes.count - back
    }
    return bytes.count
  }

  /// Bytes of the character that this byte begins, or nil if it begins none.
  static func length(lead: UInt8) -> Int? {
    switch lead {
    case 0x00...0x7F: 1
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: nil
    }
  }

  private static func secondByteIsValid(_ lead: UInt8, _ second: UInt8) -> Bool {
    switch lead {
    case 0xE0: (0xA0...0xBF).contains(second)
    case 0xED: (0x80...0x9F).contains(second)
    case 0xF0: (0x90...0xBF).contains(second)
    case 0xF4: (0x80...0x8F).contains(second)
    default: second & 0xC0 == 0x80
    }
  }
}
