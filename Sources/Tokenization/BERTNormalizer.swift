import Foundation

/// BERT's cleaning of text: control characters go, accents are stripped, letters are lower-cased.
enum BERTNormalizer {
  /// What a scalar is to the words around it.
  enum Kind {
    case letter
    /// Punctuation and Chinese characters, which are words of their own.
    case single
    case space

    init(_ scalar: Unicode.Scalar) {
      if scalar.value < 128 {
        self = Self.ascii[Int(scalar.value)]
      } else if scalar.properties.isWhitespace {
        self = .space
      } else {
        self = isPunctuation(scalar) || isChinese(scalar) ? .single : .letter
      }
    }

    private static let ascii: [Kind] = (UInt8(0)..<128).map { byte in
      switch byte {
      case 0x09...0x0D, 0x20: .space
      case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: .single
      default: .letter
      }
    }
  }

  static let partBytes = 2_048

  /// Calls the body with the cleaned text, part by part, until it returns false. Parts end at
  /// ASCII white space where there is some, so that accents stay with their letters.
  static func forEachPart(of text: UnsafeRawBufferPointer, _ body: (String) -> Bool) {
    var start = 0
    while start < text.count {
      var end = min(start + partBytes, text.count)
      while end < text.count, text[end] != 0x20, text[end] != 0x0A { end += 1 }
      let part = String(
        decoding: UnsafeRawBufferPointer(rebasing: text[start..<end]), as: UTF8.self)
      guard body(normalize(part)) else { return }
      start = end
    }
  }

  static func normalize(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 == 0x0A }) { return text.lowercased() }
    var cleaned = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x09, 0x0A, 0x0D: cleaned.append(" ")
      case 0, 0xFFFD: continue
      default:
        switch scalar.properties.generalCategory {
        case .control, .format, .privateUse, .surrogate: continue
        default: cleaned.append(scalar)
        }
      }
    }
    var result = String.UnicodeScalarView()
    for scalar in String(cleaned).decomposedStringWithCanonicalMapping.unicodeScalars
    where scalar.properties.generalCategory != .nonspacingMark {
      if scalar.value < 128 {
        result.append(
          (0x41...0x5A).contains(scalar.value)
            ? Unicode.Scalar(UInt8(scalar.value + 32)) : scalar)
      } else {
        // Scalar by scalar: a final sigma stays what it is alone, as in the reference.
        result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
    }
    return String(result)
  }

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      true
    default: false
    }
  }

  private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
      0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
