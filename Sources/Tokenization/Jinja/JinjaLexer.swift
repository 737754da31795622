/// Cuts a template into text, outputs and blocks, with white space treated as Hugging Face's
/// `apply_chat_template` sets Jinja up: `trim_blocks` and `lstrip_blocks` on, one newline at the
/// template's end dropped.
struct JinjaLexer {
  private let source: [UInt8]
  private var index = 0
  private var line = 1
  private var segments: [JinjaSegment] = []
  /// Whether what was last consumed ended with a newline.
  private var lineStarting = true

  static let maximumBytes = 1 << 20
  /// Bounds the depth of an expression's tree.
  static let maximumTokensPerTag = 2_000
  private static let maximumNameBytes = 256

  private init(_ source: [UInt8]) { self.source = source }

  static func segments(of template: String) throws(ChatTemplateError) -> [JinjaSegment] {
    guard template.utf8.count <= maximumBytes else {
      throw ChatTemplateError(
        kind: .limit, message: "the template is longer than \(maximumBytes) bytes", line: 1)
    }
    var lexer = JinjaLexer(normalisingNewlines(Array(template.utf8)))
    try lexer.run()
    return lexer.segments
  }

  private static func normalisingNewlines(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for (index, byte) in bytes.enumerated() {
      if byte == 0x0D {
        result.append(0x0A)
      } else if byte != 0x0A || index == 0 || bytes[index - 1] != 0x0D {
        result.append(byte)
      }
    }
    if result.last == 0x0A { result.removeLast() }
    return result
  }

  private func error(_ message: String) -> ChatTemplateError {
    ChatTemplateError(kind: .syntax, message: message, line: line)
  }

  private func byte(_ at: Int) -> UInt8? { at < source.count ? source[at] : nil }

  private func starts(with text: StaticString, at: Int) -> Bool {
    guard at + text.utf8CodeUnitCount <= source.count else { return false }
    return text.withUTF8Buffer { $0.elementsEqual(source[at..<at + $0.count]) }
  }

  private mutating func run() throws(ChatTemplateError) {
    var start = 0
    while index < source.count {
      guard source[index] == 0x7B, let kind = byte(index + 1),
        kind == 0x7B || kind == 0x25 || kind == 0x23
      else {
        index += 1
        continue
      }
      var end = index
      switch byte(index + 2) {
      case 0x2D:  // -
        while end > start, Self.isSpace(source[end - 1]) { end -= 1 }
      case 0x2B: break  // +
      default:
        if kind != 0x7B { end = strippedEnd(start, end) }
      }
      emitText(start..<end)
      countLines(start..<index)
      let sign = byte(index + 2)
      index += sign == 0x2D || sign == 0x2B ? 3 : 2
      switch kind {
      case 0x23: try skipComment()
      case 0x7B:
        let line = line
        segments.append(.output(try tokens(closing: "}}"), line: line))
        finishTag(trims: false)
      default:
        let line = line
        let tokens = try tokens(closing: "%}")
        finishTag(trims: true)
        if tokens == [.name("raw"), .end] {
          try readRaw()
        } else {
          segments.append(.block(tokens, line: line))
        }
      }
      start = index
    }
    emitText(start..<source.count)
  }

  /// `lstrip_blocks`: white space between a line's start and a block is dropped.
  private func strippedEnd(_ start: Int, _ end: Int) -> Int {
    var position = end
    while position > start, source[position - 1] != 0x0A {
      guard Self.isSpace(source[position - 1]) else { return end }
      position -= 1
    }
    return position > start || lineStarting ? position : end
  }

  private mutating func emitText(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    segments.append(.text(String(decoding: source[range], as: UTF8.self)))
  }

  private mutating func countLines(_ range: Range<Int>) {
    for index in range where source[index] == 0x0A { line += 1 }
  }

  /// Stands behind a tag's closing mark; the sign before it says what happens to white space.
  private mutating func finishTag(trims: Bool) {
    let sign = index >= 3 ? source[index - 3] : 0
    let start = index
    if sign == 0x2D {
      while let next = byte(index), Self.isSpace(next) { index += 1 }
    } else if trims, sign != 0x2B, byte(index) == 0x0A {
      index += 1
    }
    countLines(start..<index)
    lineStarting = source[index - 1] == 0x0A
  }

  private mutating func skipComment() throws(ChatTemplateError) {
    let start = index
    while index < source.count, !starts(with: "#}", at: index) { index += 1 }
    guard index < source.count else { throw error("a comment is not closed") }
    countLines(start..<index)
    index += 2
    finishTag(trims: true)
  }

  private mutating func readRaw() throws(ChatTemplateError) {
    let start = index
    while index < source.count {
      if starts(with: "{%", at: index) {
        let end = index
        if let after = endOfRaw(at: index) {
          index = after
          emitText(start..<end)
          finishTag(trims: true)
          return
        }
      }
      index += 1
    }
    throw error("{% raw %} is not closed")
  }

  /// Behind the `{% endraw %}` that begins at a place; nil where another tag does. Nothing else is
  /// read of a tag inside raw, whatever there is in it.
  private func endOfRaw(at start: Int) -> Int? {
    var place = start + 2
    func skipSpaces() { while let next = byte(place), Self.isSpace(next) { place += 1 } }
    if byte(place) == 0x2D || byte(place) == 0x2B { place += 1 }
    skipSpaces()
    let name = Array("endraw".utf8)
    guard source[min(place, source.count)...].starts(with: name) else { return nil }
    place += name.count
    skipSpaces()
    if byte(place) == 0x2D || byte(place) == 0x2B { place += 1 }
    return starts(with: "%}", at: place) ? place + 2 : nil
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

extension JinjaLexer {
  /// Reads tokens up to and with the closing mark.
  private mutating func tokens(closing: StaticString) throws(ChatTemplateError) -> [JinjaToken] {
    var tokens: [JinjaToken] = []
    // Inside braces `}}` closes two dictionaries, not the tag.
    var braces = 0
    while true {
      while let next = byte(index), Self.isSpace(next) {
        if next == 0x0A { line += 1 }
        index += 1
      }
      guard let first = byte(index) else { throw error("a tag is not closed") }
      guard tokens.count < Self.maximumTokensPerTag else {
        throw ChatTemplateError(
          kind: .limit, message: "a tag has more than \(Self.maximumTokensPerTag) tokens",
          line: line)
      }
      if braces == 0 {
        if starts(with: closing, at: index) {
          index += 2
          break
        }
        if first == 0x2D || first == 0x2B, starts(with: closing, at: index + 1) {
          index += 3
          break
        }
      }
      switch first {
      case 0x22, 0x27: tokens.append(.string(try string(quote: first)))
      case 0x30...0x39: tokens.append(try number())
      case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...:
        let start = index
        while let next = byte(index), Self.isNamePart(next) { index += 1 }
        guard index - start <= Self.maximumNameBytes else {
          throw ChatTemplateError(kind: .limit, message: "a name is too long", line: line)
        }
        tokens.append(.name(String(decoding: source[start..<index], as: UTF8.self)))
      default:
        let symbol = try symbol()
        if symbol == "{" { braces += 1 }
        if symbol == "}" { braces -= 1 }
        tokens.append(.symbol(symbol))
      }
    }
    tokens.append(.end)
    return tokens
  }

  private static func isNamePart(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...: true
    default: false
    }
  }

  private mutating func symbol() throws(ChatTemplateError) -> String {
    for two in ["==", "!=", "<=", ">=", "//", "**"] {
      if source[index...].starts(with: two.utf8) {
        index += 2
        return two
      }
    }
    let character = Character(Unicode.Scalar(source[index]))
    guard "+-*/%~<>=()[]{}.,:|;".contains(character) else {
      throw error("unexpected character \"\(character)\"")
    }
    index += 1
    return String(character)
  }

  private mutating func number() throws(ChatTemplateError) -> JinjaToken {
    let start = index
    func digits(_ from: Int) -> Int {
      var end = from
      while let next = byte(end), (0x30...0x39).contains(next) || next == 0x5F { end += 1 }
      return end
    }
    var end = digits(index)
    var isFloat = false
    if byte(end) == 0x2E, let next = byte(end + 1), (0x30...0x39).contains(next) {
      isFloat = true
      end = digits(end + 1)
    }
    if byte(end) == 0x65 || byte(end) == 0x45 {
      var exponent = end + 1
      if byte(exponent) == 0x2B || byte(exponent) == 0x2D { exponent += 1 }
      if let next = byte(exponent), (0x30...0x39).contains(next) {
        isFloat = true
        end = digits(exponent)
      }
    }
    index = end
    let text = String(decoding: source[start..<end].filter { $0 != 0x5F }, as: UTF8.self)
    if isFloat, let value = Double(text) { return .float(value) }
    guard !isFloat, let value = Int(text) else { throw error("\(text) is not a number") }
    return .int(value)
  }

  private mutating func string(quote: UInt8) throws(ChatTemplateError) -> String {
    index += 1
    var text: [UInt8] = []
    while let next = byte(index) {
      index += 1
      switch next {
      case quote: return String(decoding: text, as: UTF8.self)
      case 0x5C: try escape(into: &text)
      default:
        if next == 0x0A { line += 1 }
        text.append(next)
      }
    }
    throw error("a string is not closed")
  }

  /// Python's escapes; unknown ones keep their backslash.
  private mutating func escape(into text: inout [UInt8]) throws(ChatTemplateError) {
    guard let kind = byte(index) else { throw error("a string is not closed") }
    index += 1
    switch kind {
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "v"): text.append(0x0B)
    case UInt8(ascii: "a"): text.append(0x07)
    case UInt8(ascii: "0"): text.append(0x00)
    case 0x5C, 0x22, 0x27: text.append(kind)
    case 0x0A: line += 1
    case UInt8(ascii: "x"), UInt8(ascii: "u"), UInt8(ascii: "U"):
      let count = kind == UInt8(ascii: "x") ? 2 : kind == UInt8(ascii: "u") ? 4 : 8
      let digits = source[index..<min(index + count, source.count)]
      guard digits.count == count,
        let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
        let scalar = Unicode.Scalar(code)
      else { throw error("a \\\(Character(Unicode.Scalar(kind))) escape is not valid") }
      index += count
      text.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: text += [0x5C, kind]
    }
  }
}
