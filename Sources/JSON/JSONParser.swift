/// Reads JSON strictly, in one pass over the bytes.
package struct JSONParser {
  /// What is no JSON, and where.
  package struct Failure: Error {
    package let offset: Int
    package let problem: String
  }

  /// Deeper values are refused: reading them takes the stack.
  package static let maximumDepth = 192

  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The one value that the bytes hold.
  package static func parse(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> JSONValue {
    var parser = JSONParser(bytes)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.offset == bytes.count else { throw parser.failure("text after the value") }
    return value
  }

  /// The same.
  package static func parse(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(Failure) in try parse(bytes) }
    }
    return try result.get()
  }

  private func failure(_ problem: String) -> Failure { Failure(offset: offset, problem: problem) }

  private mutating func value(depth: Int) throws(Failure) -> JSONValue {
    guard depth < Self.maximumDepth else { throw failure("values nest too deep") }
    skipSpace()
    guard offset < bytes.count else { throw failure("the text ends early") }
    switch bytes[offset] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(Failure) -> JSONValue {
    offset += 1
    var pairs: [(key: String, value: JSONValue)] = []
    if accept(UInt8(ascii: "}")) { return .object(pairs) }
    repeat {
      skipSpace()
      guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else {
        throw failure("a key is missing")
      }
      let key = try string()
      guard accept(UInt8(ascii: ":")) else { throw failure("a colon is missing") }
      pairs.append((key, try value(depth: depth + 1)))
    } while accept(UInt8(ascii: ","))
    guard accept(UInt8(ascii: "}")) else { throw failure("a closing brace is missing") }
    return .object(pairs)
  }

  private mutating func array(depth: Int) throws(Failure) -> JSONValue {
    offset += 1
    var items: [JSONValue] = []
    if accept(UInt8(ascii: "]")) { return .array(items) }
    repeat {
      items.append(try value(depth: depth + 1))
    } while accept(UInt8(ascii: ","))
    guard accept(UInt8(ascii: "]")) else { throw failure("a closing bracket is missing") }
    return .array(items)
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue
  {
    for index in 0..<word.utf8CodeUnitCount {
      guard offset < bytes.count, bytes[offset] == word.utf8Start[index] else {
        throw failure("no value")
      }
      offset += 1
    }
    return value
  }

  /// A number in JSON's own spelling: no plus before it, no zero before other digits, digits on both sides of a point.
  private mutating func number() throws(Failure) -> JSONValue {
    let start = offset
    func failure() -> Failure { Failure(offset: start, problem: "no value") }
    func take(_ bytes: UInt8...) -> Bool {
      guard offset < self.bytes.count, bytes.contains(self.bytes[offset]) else { return false }
      offset += 1
      return true
    }
    func digits() -> Int {
      let first = offset
      while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) { offset += 1 }
      return offset - first
    }
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")), digits() == 0 { throw failure() }
    var isWhole = true
    if take(UInt8(ascii: ".")) {
      isWhole = false
      if digits() == 0 { throw failure() }
    }
    if take(UInt8(ascii: "e"), UInt8(ascii: "E")) {
      isWhole = false
      _ = take(UInt8(ascii: "+"), UInt8(ascii: "-"))
      if digits() == 0 { throw failure() }
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if isWhole, let int = Int(text) { return .int(int) }
    guard let double = Double(text) else { throw failure() }
    return .double(double)
  }

  /// A string; the opening quote is at hand.
  private mutating func string() throws(Failure) -> String {
    offset += 1
    let start = offset
    while offset < bytes.count {
      switch bytes[offset] {
      case UInt8(ascii: "\""):
        // Most strings have no escape and are taken as they are.
        guard let text = String(validating: bytes[start..<offset], as: UTF8.self) else {
          throw Failure(offset: start, problem: "a string is not UTF-8")
        }
        offset += 1
        return text
      case UInt8(ascii: "\\"): return try escapedString(from: start)
      case 0..<0x20: throw failure("a control byte in a string")
      default: offset += 1
      }
    }
    throw failure("a string does not end")
  }

  private mutating func escapedString(from start: Int) throws(Failure) -> String {
    var text = Array(bytes[start..<offset])
    while offset < bytes.count {
      let byte = bytes[offset]
      switch byte {
      case UInt8(ascii: "\""):
        guard let result = String(validating: text, as: UTF8.self) else {
          throw Failure(offset: start, problem: "a string is not UTF-8")
        }
        offset += 1
        return result
      case UInt8(ascii: "\\"):
        offset += 1
        try escape(into: &text)
      case 0..<0x20: throw failure("a control byte in a string")
      default:
        text.append(byte)
        offset += 1
      }
    }
    throw failure("a string does not end")
  }

  private mutating func escape(into text: inout [UInt8]) throws(Failure) {
    guard offset < bytes.count else { throw failure("a string does not end") }
    let kind = bytes[offset]
    offset += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if code & 0xFC00 == 0xD800 {
        guard offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
          bytes[offset + 1] == UInt8(ascii: "u")
        else { throw failure("half a surrogate pair") }
        offset += 2
        let low = try hexadecimal()
        guard low & 0xFC00 == 0xDC00 else { throw failure("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
      text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    default: throw failure("an unknown escape")
    }
  }

  private mutating func hexadecimal() throws(Failure) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard offset < bytes.count,
        let digit = Character(Unicode.Scalar(bytes[offset])).hexDigitValue
      else { throw failure("a short \\u escape") }
      code = code << 4 | UInt32(digit)
      offset += 1
    }
    return code
  }

  private mutating func skipSpace() {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x09, 0x0A, 0x0D: offset += 1
      default: return
      }
    }
  }

  private mutating func accept(_ byte: UInt8) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == byte else { return false }
    offset += 1
    return true
  }
}
