/// What the pre-tokenizers' patterns tell scalars apart by: general categories and white space. A
/// scalar has one of them, none (controls and what is not assigned), or is white space that also
/// ends a line.
struct ScalarClass: OptionSet, Sendable {
  let rawValue: UInt16

  /// `\p{Lu}` and `\p{Lt}`.
  static let uppercase = ScalarClass(rawValue: 1)
  /// `\p{Ll}`.
  static let lowercase = ScalarClass(rawValue: 1 << 1)
  /// `\p{Lm}` and `\p{Lo}`.
  static let uncased = ScalarClass(rawValue: 1 << 2)
  /// `\p{M}`.
  static let mark = ScalarClass(rawValue: 1 << 3)
  /// `\p{N}`.
  static let number = ScalarClass(rawValue: 1 << 4)
  /// `\p{P}`.
  static let punctuation = ScalarClass(rawValue: 1 << 5)
  /// `\p{S}`.
  static let symbol = ScalarClass(rawValue: 1 << 6)
  /// `\s`.
  static let space = ScalarClass(rawValue: 1 << 7)
  /// `[\r\n]`.
  static let lineEnd = ScalarClass(rawValue: 1 << 8)

  /// `\p{L}`.
  static let letter: ScalarClass = [.uppercase, .lowercase, .uncased]

  init(rawValue: UInt16) { self.rawValue = rawValue }

  init(_ scalar: Unicode.Scalar) {
    self = scalar.value < 128 ? Self.ascii[Int(scalar.value)] : Self.unicode(scalar)
  }

  private static let ascii: [ScalarClass] = (0..<128).map { unicode(Unicode.Scalar(UInt8($0))) }

  private static func unicode(_ scalar: Unicode.Scalar) -> ScalarClass {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: return .uppercase
    case .lowercaseLetter: return .lowercase
    case .modifierLetter, .otherLetter: return .uncased
    case .nonspacingMark, .spacingMark, .enclosingMark: return .mark
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      return .punctuation
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: return .symbol
    default:
      guard properties.isWhitespace else { return [] }
      return scalar == "\n" || scalar == "\r" ? [.space, .lineEnd] : .space
    }
  }
}
