extension String {
  /// The text as a column can hold it: SQLite's text ends at U+0000, so that U+FFFD stands in its
  /// place; and of more than `maximumBytes` only the beginning, cut between characters.
  func storable(maximumBytes: Int = .max) -> String {
    var text = self
    if utf8.count > maximumBytes {
      var end = utf8.index(startIndex, offsetBy: maximumBytes)
      while end > startIndex, !UTF8.isCharacterStart(utf8[end]) { utf8.formIndex(before: &end) }
      text = String(self[..<end])
    }
    return text.utf8.contains(0) ? text.replacing("\0", with: "\u{FFFD}") : text
  }
}

extension UTF8 {
  /// Whether a byte begins the encoding of a scalar.
  fileprivate static func isCharacterStart(_ byte: UInt8) -> Bool { byte & 0xC0 != 0x80 }
}
