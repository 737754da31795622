import Tokenization

/// Reads the fixtures' JSON and keeps the order of an object's keys, which `tojson` shows.
struct OrderedJSON {
  private let bytes: [UInt8]
  private var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private mutating func skip() {
    while index < bytes.count, [0x20, 0x0A, 0x2C, 0x3A].contains(bytes[index]) { index += 1 }
  }

  mutating func value() -> TemplateValue? {
    skip()
    guard index < bytes.count else { return nil }
    switch bytes[index] {
    case UInt8(ascii: "{"):
      index += 1
      var pairs: [(key: String, value: TemplateValue)] = []
      while true {
        skip()
        if index < bytes.count, bytes[index] == UInt8(ascii: "}") {
          index += 1
          return .object(pairs)
        }
        guard case .string(let key)? = value(), let item = value() else { return nil }
        pairs.append((key, item))
      }
    case UInt8(ascii: "["):
      index += 1
      var items: [TemplateValue] = []
      while true {
        skip()
        if index < bytes.count, bytes[index] == UInt8(ascii: "]") {
          index += 1
          return .array(items)
        }
        guard let item = value() else { return nil }
        items.append(item)
      }
    case UInt8(ascii: "\""): return string().map { .string($0) }
    default:
      let start = index
      while index < bytes.count, ![0x20, 0x2C, 0x5D, 0x7D].contains(bytes[index]) { index += 1 }
      let word = String(decoding: bytes[start..<index], as: UTF8.self)
      switch word {
      case "null": return .null
      case "true": return .bool(true)
      case "false": return .bool(false)
      default: return Int(word).map { .int($0) } ?? Double(word).map { .double($0) }
      }
    }
  }

  private mutating func string() -> String? {
    index += 1
    var units: [UInt16] = []
    var text = ""
    func flush(_ units: inout [UInt16], _ text: inout String) {
      text += String(decoding: units, as: UTF16.self)
      units = []
    }
    var raw: [UInt8] = []
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: "\"") {
        flush(&units, &text)
        return text + String(decoding: raw, as: UTF8.self)
      }
      guard byte == UInt8(ascii: "\\"), index < bytes.count else {
        flush(&units, &text)
        raw.append(byte)
        continue
      }
      text += String(decoding: raw, as: UTF8.self)
      raw = []
      let kind = bytes[index]
      index += 1
      switch kind {
      case UInt8(ascii: "n"): units.append(0x0A)
      case UInt8(ascii: "t"): units.append(0x09)
      case UInt8(ascii: "r"): units.append(0x0D)
      case UInt8(ascii: "b"): units.append(0x08)
      case UInt8(ascii: "f"): units.append(0x0C)
      case UInt8(ascii: "u"):
        let digits = String(decoding: bytes[index..<min(index + 4, bytes.count)], as: UTF8.self)
        guard let unit = UInt16(digits, radix: 16) else { return nil }
        index += 4
        units.append(unit)
      default: units.append(UInt16(kind))
      }
    }
    return nil
  }
}
