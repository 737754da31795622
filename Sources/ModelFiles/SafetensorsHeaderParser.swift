/// Reads the one JSON shape that a safetensors header has, strictly: names map to
/// `{"dtype": string, "shape": [int], "data_offsets": [int, int]}`, and `__metadata__` maps
/// strings to strings. Nothing else is JSON that this format allows, so recursion has no depth,
/// and names that occur twice, which general JSON readers let pass, are seen.
struct SafetensorsHeaderParser {
  struct Entry {
    let name: String
    let type: String
    let shape: [Int]
    let begin: Int
    let end: Int
  }

  let bytes: UnsafeRawBufferPointer
  let path: String
  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]
  private var offset = 0

  static let maximumDimensions = 8

  init(bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  mutating func parse() throws(ModelFileError) {
    var names: Set<String> = []
    // Spelt out rather than with closures, which typed throws and `inout self` do not allow.
    try expect("{", "header")
    if !accept("}") {
      repeat {
        let name = try string("header key")
        guard names.insert(name).inserted else { throw error("tensor \(name)", .duplicate) }
        guard names.count <= GGUFPart.maximumTensorCount else {
          throw invalid(
            "header", "\(names.count) tensors", "at most \(GGUFPart.maximumTensorCount)")
        }
        try expect(":", "tensor \(name)")
        if name == "__metadata__" { try readMetadata() } else { try readEntry(name) }
      } while accept(",")
      try expect("}", "header")
    }
    skipSpace()
    guard offset == bytes.count else {
      throw invalid("header", "text after the closing brace at byte \(offset)", "its end")
    }
  }

  private mutating func readMetadata() throws(ModelFileError) {
    try expect("{", "__metadata__")
    if accept("}") { return }
    repeat {
      let key = try string("__metadata__ key")
      try expect(":", "__metadata__")
      let value = try string("__metadata__.\(key)")
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw error("__metadata__.\(key)", .duplicate)
      }
    } while accept(",")
    try expect("}", "__metadata__")
  }

  private mutating func readEntry(_ name: String) throws(ModelFileError) {
    let field = "tensor \(name)"
    var type: String?
    var shape: [Int]?
    var offsets: [Int]?
    try expect("{", field)
    if !accept("}") {
      repeat {
        let key = try string("\(field) key")
        try expect(":", "\(field).\(key)")
        switch key {
        case "dtype" where type == nil: type = try string("\(field).dtype")
        case "shape" where shape == nil:
          shape = try integers("\(field).shape", maximumCount: Self.maximumDimensions)
        case "data_offsets" where offsets == nil:
          offsets = try integers("\(field).data_offsets", maximumCount: 2)
        case "dtype", "shape", "data_offsets": throw error("\(field).\(key)", .duplicate)
        default: throw invalid(field, "key \(key)", "dtype, shape or data_offsets")
        }
      } while accept(",")
      try expect("}", field)
    }
    guard let type else { throw error("\(field).dtype", .missing) }
    guard let shape else { throw error("\(field).shape", .missing) }
    guard let offsets else { throw error("\(field).data_offsets", .missing) }
    guard offsets.count == 2 else {
      throw invalid("\(field).data_offsets", "\(offsets)", "two integers")
    }
    entries.append(
      Entry(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1]))
  }

  // MARK: - Values

  private mutating func integers(
    _ field: String, maximumCount: Int
  ) throws(ModelFileError) -> [Int] {
    var values: [Int] = []
    try expect("[", field)
    if accept("]") { return values }
    repeat {
      guard values.count < maximumCount else {
        throw invalid(field, "longer", "at most \(maximumCount) integers")
      }
      values.append(try integer(field))
    } while accept(",")
    try expect("]", field)
    return values
  }

  private mutating func integer(_ field: String) throws(ModelFileError) -> Int {
    skipSpace()
    let start = offset
    var value = 0
    while offset < bytes.count, case let digit = bytes[offset], digit >= 0x30, digit <= 0x39 {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(digit - 0x30))
      guard !overflow, !carry else {
        throw invalid(field, "a number beyond 64 bits", "at most \(Int.max)")
      }
      value = sum
      offset += 1
    }
    guard offset > start else {
      throw invalid(field, "no number at byte \(offset)", "a non-negative integer")
    }
    return value
  }

  private mutating func string(_ field: String) throws(ModelFileError) -> String {
    try expect("\"", field)
    var text: [UInt8] = []
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let result = String(validating: text, as: UTF8.self) else {
          throw invalid(field, "not UTF-8", "UTF-8 text")
        }
        return result
      case UInt8(ascii: "\\"): try escape(into: &text, field)
      case 0..<0x20: throw invalid(field, "control byte \(byte) in a string", "an escape")
      default: text.append(byte)
      }
    }
    throw error(field, .truncated(neededBytes: 1, availableBytes: 0))
  }

  private mutating func escape(
    into text: inout [UInt8], _ field: String
  ) throws(ModelFileError) {
    guard offset < bytes.count else {
      throw error(field, .truncated(neededBytes: 1, availableBytes: 0))
    }
    let byte = bytes[offset]
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      var code = try hexadecimal(field)
      if code & 0xFC00 == 0xD800 {
        try expectByte("\\", field)
        try expectByte("u", field)
        let low = try hexadecimal(field)
        guard low & 0xFC00 == 0xDC00 else {
          throw invalid(field, "half a surrogate pair", "two halves")
        }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else {
        throw invalid(field, "half a surrogate pair", "two halves")
      }
      text.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw invalid(field, "escape \\\(Character(Unicode.Scalar(byte)))", "a JSON escape")
    }
  }

  private mutating func hexadecimal(_ field: String) throws(ModelFileError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard offset < bytes.count,
        let digit = Character(Unicode.Scalar(bytes[offset])).hexDigitValue
      else { throw invalid(field, "a short \\u escape", "four hexadecimal digits") }
      code = code << 4 | UInt32(digit)
      offset += 1
    }
    return code
  }

  // MARK: - Tokens

  private mutating func skipSpace() {
    while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  private mutating func expect(
    _ character: Unicode.Scalar, _ field: @autoclosure () -> String
  ) throws(ModelFileError) {
    guard accept(character) else { throw unexpected(character, field()) }
  }

  private mutating func expectByte(
    _ character: Unicode.Scalar, _ field: String
  ) throws(ModelFileError) {
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else {
      throw unexpected(character, field)
    }
    offset += 1
  }

  private func unexpected(_ character: Unicode.Scalar, _ field: String) -> ModelFileError {
    let found = offset < bytes.count ? "byte \(bytes[offset])" : "the header's end"
    return invalid(field, "\(found) at byte \(offset)", "\"\(character)\"")
  }

  private func invalid(_ field: String, _ value: String, _ expected: String) -> ModelFileError {
    error(field, .invalid(value: value, expected: expected))
  }

  private func error(_ field: String, _ problem: ModelFileError.Problem) -> ModelFileError {
    ModelFileError(path: path, field: field, problem: problem)
  }
}
