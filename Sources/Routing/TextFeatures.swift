import Foundation

/// A few numbers about a text that a sentence embedding blurs: length, script, layout.
package struct TextFeatures: Equatable, Sendable {
  package static let names = [
    "log_bytes", "non_ascii_share", "digit_share", "upper_share", "blank_share", "symbol_share",
    "line_breaks_share", "mean_word_bytes",
  ]

  /// In the order of ``names``.
  package let values: [Float]

  package init(_ text: String) {
    var bytes = 0
    var nonASCII = 0
    var digits = 0
    var upper = 0
    var blanks = 0
    var symbols = 0
    var breaks = 0
    var words = 0
    var inWord = false
    for byte in text.utf8 {
      bytes += 1
      var isBlank = false
      switch byte {
      case 0x80...: nonASCII += 1
      case 48...57: digits += 1
      case 65...90: upper += 1
      case 97...122: break
      case 10, 13:
        breaks += 1
        isBlank = true
      case 9, 32:
        blanks += 1
        isBlank = true
      default: symbols += 1
      }
      if !isBlank && !inWord { words += 1 }
      inWord = !isBlank
    }
    let total = Double(max(1, bytes))
    values = [
      log(1 + Double(bytes)), Double(nonASCII) / total, Double(digits) / total,
      Double(upper) / total, Double(blanks) / total, Double(symbols) / total,
      Double(breaks) / total,
      min(40, Double(bytes - blanks - breaks) / Double(max(1, words))),
    ].map(Float.init)
  }
}
