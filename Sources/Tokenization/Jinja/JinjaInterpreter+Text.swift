extension JinjaInterpreter {
  /// What `{{ value }}` writes: Python's `str()`.
  mutating func text(of value: JinjaValue) throws(ChatTemplateError) -> String {
    switch value {
    case .string(let text): return text
    case .undefined: return ""
    default:
      var text = ""
      try represent(value, into: &text)
      return text
    }
  }

  /// Python's `repr()`.
  private mutating func represent(
    _ value: JinjaValue, into text: inout String
  ) throws(ChatTemplateError) {
    try charge()
    try checkLength(text.utf8.count)
    switch value {
    case .undefined: text += "Undefined"
    case .none: text += "None"
    case .bool(let value): text += value ? "True" : "False"
    case .int(let value): text += "\(value)"
    case .float(let value): text += Self.text(ofFloat: value)
    case .string(let value):
      try charge(bytes: value.utf8.count)
      let quote = value.utf8.contains(0x27) && !value.utf8.contains(0x22) ? "\"" : "'"
      text += quote
      for scalar in value.unicodeScalars {
        switch scalar {
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "'" where quote == "'": text += "\\'"
        default:
          if scalar.value < 0x20 || scalar.value == 0x7F {
            text += "\\x" + Self.hexadecimal(scalar.value, digits: 2)
          } else {
            text.unicodeScalars.append(scalar)
          }
        }
      }
      text += quote
    case .list(let list):
      text += "["
      for (index, item) in list.items.enumerated() {
        if index > 0 { text += ", " }
        try represent(item, into: &text)
      }
      text += "]"
    case .dictionary(let dictionary):
      text += "{"
      for (index, key) in dictionary.keys.enumerated() {
        if index > 0 { text += ", " }
        try represent(.string(key), into: &text)
        text += ": "
        try represent(dictionary.values[key] ?? .none, into: &text)
      }
      text += "}"
    case .namespace, .loop, .macro, .function: text += "<\(value.typeName)>"
    }
  }

  static func text(ofFloat value: Double) -> String {
    value.isNaN ? "nan" : value.isInfinite ? (value < 0 ? "-inf" : "inf") : "\(value)"
  }

  static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  /// Python's `json.dumps(value, ensure_ascii=False)`, as Hugging Face sets `tojson` up.
  ///
  /// - Parameter escapes: Whether what is not ASCII is escaped (`ensure_ascii`).
  mutating func json(
    _ value: JinjaValue, indent: Int?, sortsKeys: Bool, escapes: Bool = false
  ) throws(ChatTemplateError) -> String {
    var text = ""
    try writeJSON(value, indent.map { min(max($0, 0), 16) }, sortsKeys, 0, &text)
    guard escapes else { return text }
    try charge(bytes: text.utf8.count * 3)
    // Outside of strings all is ASCII.
    var ascii = ""
    for unit in text.utf16 {
      if unit < 0x80 {
        ascii.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      } else {
        ascii += "\\u" + Self.hexadecimal(UInt32(unit), digits: 4)
      }
    }
    try checkLength(ascii.utf8.count)
    return ascii
  }

  private mutating func writeJSON(
    _ value: JinjaValue, _ indent: Int?, _ sortsKeys: Bool, _ level: Int, _ text: inout String
  ) throws(ChatTemplateError) {
    try charge()
    try checkLength(text.utf8.count)
    func newline(_ level: Int) -> String {
      indent.map { "\n" + String(repeating: " ", count: $0 * level) } ?? ""
    }
    let separator = indent == nil ? ", " : ","
    switch value {
    case .none: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .int(let value): text += "\(value)"
    case .float(let value):
      text +=
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : "\(value)"
    case .string(let value):
      try charge(bytes: value.utf8.count)
      Self.writeJSON(value, &text)
    case .list(let list):
      if list.items.isEmpty {
        text += "[]"
        return
      }
      text += "["
      for (index, item) in list.items.enumerated() {
        if index > 0 { text += separator }
        text += newline(level + 1)
        try writeJSON(item, indent, sortsKeys, level + 1, &text)
      }
      text += newline(level) + "]"
    case .dictionary(let dictionary):
      if dictionary.keys.isEmpty {
        text += "{}"
        return
      }
      text += "{"
      let keys = sortsKeys ? dictionary.keys.sorted(by: JinjaText.less) : dictionary.keys
      for (index, key) in keys.enumerated() {
        if index > 0 { text += separator }
        text += newline(level + 1)
        Self.writeJSON(key, &text)
        text += ": "
        try writeJSON(
          dictionary.values[key] ?? .none, indent, sortsKeys, level + 1, &text)
      }
      text += newline(level) + "}"
    case .undefined, .namespace, .loop, .macro, .function:
      throw error("\(value.typeName) cannot be written as JSON")
    }
  }

  private static func writeJSON(_ string: String, _ text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{C}": text += "\\f"
      default:
        if scalar.value < 0x20 {
          text += "\\u" + hexadecimal(scalar.value, digits: 4)
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    text += "\""
  }
}
