/// How SentencePiece-like tokenizers write spaces as U+2581, where they add one, and whether merges
/// go beyond a word.
struct PieceLayout: Sendable {
  /// What a text between special tokens begins with.
  enum Prefix: Sendable {
    case none
    case always
    /// U+2581 unless the text begins with it, or with a space.
    case unlessThere
    /// The same, and only at the beginning of all text.
    case firstUnlessThere
  }

  /// Put U+2581 in front of each text before user-defined tokens are looked for in it.
  var normalizerPrepends = false
  /// Escape spaces before user-defined tokens are looked for.
  var normalizerEscapes: Bool
  /// Escape spaces after that.
  var wordEscapes = false
  var wordPrefix: Prefix
  /// Cut in front of every U+2581: merges do not cross a space.
  var splitsWords = false

  static let space = "\u{2581}"
  /// U+2581 in UTF-8.
  static let spaceBytes: [UInt8] = [0xE2, 0x96, 0x81]

  /// A text as user-defined tokens are looked for in it.
  func normalized(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    let escaped = normalizerEscapes ? Self.escapingSpaces(text) : Array(text)
    return normalizerPrepends && !text.isEmpty ? Self.spaceBytes + escaped : escaped
  }

  /// A text between special tokens as it is merged.
  func word(_ text: UnsafeRawBufferPointer, isFirst: Bool) -> [UInt8] {
    let escaped = wordEscapes ? Self.escapingSpaces(text) : Array(text)
    let isPrefixed =
      switch wordPrefix {
      case .none: false
      case .always: true
      case .unlessThere: !escaped.starts(with: Self.spaceBytes)
      case .firstUnlessThere: isFirst && !escaped.starts(with: Self.spaceBytes)
      }
    return isPrefixed ? Self.spaceBytes + escaped : escaped
  }

  /// Calls the body with the range of every word.
  func forEachWord(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    var start = 0
    if splitsWords {
      var index = 1
      while index + 2 < text.count {
        if text[index] == 0xE2, text[index + 1] == 0x96, text[index + 2] == 0x81 {
          body(start..<index)
          start = index
          index += 2
        }
        index += 1
      }
    }
    if start < text.count { body(start..<text.count) }
  }

  static func escapingSpaces(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 2)
    for byte in text {
      if byte == 0x20 { result += spaceBytes } else { result.append(byte) }
    }
    return result
  }

  static func restoringSpaces(_ piece: ArraySlice<UInt8>) -> [UInt8] {
    guard piece.contains(0xE2) else { return Array(piece) }
    var result: [UInt8] = []
    var rest = piece
    while let first = rest.first {
      if rest.starts(with: spaceBytes) {
        result.append(0x20)
        rest = rest.dropFirst(3)
      } else {
        result.append(first)
        rest = rest.dropFirst()
      }
    }
    return result
  }
}
