/// Python's string operations, which count Unicode scalars and compare them one by one, where
/// Swift's own count and compare characters.
enum JinjaText {
  static func equal(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

  static func less(_ a: String, _ b: String) -> Bool {
    a.utf8.lexicographicallyPrecedes(b.utf8)
  }

  static func hasPrefix(_ text: String, _ prefix: String) -> Bool {
    text.utf8.starts(with: prefix.utf8)
  }

  static func hasSuffix(_ text: String, _ suffix: String) -> Bool {
    text.utf8.reversed().starts(with: suffix.utf8.reversed())
  }

  /// The offset of the first occurrence in bytes from the place on, or nil, in linear time.
  static func find(_ needle: [UInt8], in text: [UInt8], from start: Int = 0) -> Int? {
    guard !needle.isEmpty else { return start <= text.count ? start : nil }
    guard start <= text.count - needle.count else { return nil }
    // Knuth, Morris and Pratt: where to go on in the needle after a mismatch.
    var fallback = [Int](repeating: 0, count: needle.count)
    var matched = 0
    for index in 1..<max(1, needle.count) {
      while matched > 0, needle[index] != needle[matched] { matched = fallback[matched - 1] }
      if needle[index] == needle[matched] { matched += 1 }
      fallback[index] = matched
    }
    matched = 0
    for index in start..<text.count {
      while matched > 0, text[index] != needle[matched] { matched = fallback[matched - 1] }
      if text[index] == needle[matched] { matched += 1 }
      if matched == needle.count { return index - matched + 1 }
    }
    return nil
  }

  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
  }

  /// Strips white space, or the scalars of `set`.
  static func strip(
    _ text: String, _ set: String? = nil, left: Bool = true, right: Bool = true
  ) -> String {
    let characters = set.map { Set($0.unicodeScalars) }
    func drops(_ scalar: Unicode.Scalar) -> Bool {
      characters?.contains(scalar) ?? isSpace(scalar)
    }
    var view = text.unicodeScalars[...]
    if left { view = view.drop(while: drops) }
    if right { while let last = view.last, drops(last) { view.removeLast() } }
    return String(String.UnicodeScalarView(view))
  }

  /// Splits at a separator, at most `limit` times (from the right if `fromRight`).
  static func split(
    _ text: String, _ separator: String, limit: Int = -1, fromRight: Bool = false
  ) -> [String] {
    let bytes = Array(text.utf8)
    let needle = Array(separator.utf8)
    var cuts: [Int] = []
    var from = 0
    while let found = find(needle, in: bytes, from: from) {
      cuts.append(found)
      from = found + max(1, needle.count)
    }
    if limit >= 0, cuts.count > limit {
      cuts = Array(fromRight ? cuts.suffix(limit) : cuts.prefix(limit))
    }
    var parts: [String] = []
    var start = 0
    for cut in cuts {
      parts.append(String(decoding: bytes[start..<cut], as: UTF8.self))
      start = cut + needle.count
    }
    parts.append(String(decoding: bytes[start...], as: UTF8.self))
    return parts
  }

  /// Splits at runs of white space.
  static func splitWords(_ text: String) -> [String] {
    text.unicodeScalars.split(whereSeparator: isSpace).map { String(String.UnicodeScalarView($0)) }
  }

  /// `str.splitlines()`.
  static func splitLines(_ text: String) -> [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var wasReturn = false
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0A where wasReturn: wasReturn = false
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        lines.append(String(line))
        line = String.UnicodeScalarView()
        wasReturn = scalar.value == 0x0D
      default:
        line.append(scalar)
        wasReturn = false
      }
    }
    return line.isEmpty ? lines : lines + [String(line)]
  }

  static func replace(_ text: String, _ old: String, _ new: String, limit: Int = -1) -> String {
    if old.isEmpty { return text }
    return split(text, old, limit: limit).joined(separator: new)
  }

  /// `str.title()`.
  static func title(_ text: String) -> String {
    var result = ""
    var inWord = false
    for scalar in text.unicodeScalars {
      let isLetter = scalar.properties.isCased
      result +=
        isLetter
        ? (inWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping)
        : String(Character(scalar))
      inWord = isLetter
    }
    return result
  }

  /// `str.capitalize()`.
  static func capitalize(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return text }
    let rest = String(String.UnicodeScalarView(text.unicodeScalars.dropFirst()))
    return first.properties.titlecaseMapping + rest.lowercased()
  }
}
