/// Reads a pattern in the dialect of ECMA-262, which JSON Schema has.
struct PatternParser {
  private let scalars: [Unicode.Scalar]
  private var place = 0
  private var depth = 0

  /// Groups within groups; more take the stack.
  private static let maximumDepth = 48
  private static let maximumRepeats = 4_096

  private init(_ text: String) { scalars = Array(text.unicodeScalars) }

  /// What a whole string must be for the pattern to be found in it: it may stand anywhere unless it begins with
  /// `^` or ends with `$`.
  static func parse(_ text: String) throws(PatternError) -> Pattern {
    var parser = PatternParser(text)
    let pattern = try parser.alternatives(isOutermost: true)
    guard parser.place == parser.scalars.count else {
      throw PatternError(problem: "has a ')' too many")
    }
    return pattern
  }

  private static let anything = Pattern.repeated(.scalar(.all), atLeast: 0, atMost: nil)

  private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

  private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    place += 1
    return true
  }

  private mutating func alternatives(isOutermost: Bool = false) throws(PatternError) -> Pattern {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else {
      throw PatternError(problem: "nests too deep", isUnsupported: true)
    }
    var parts: [Pattern] = []
    repeat { parts.append(try sequence(isOutermost: isOutermost)) } while accept("|")
    return parts.count == 1 ? parts[0] : .choice(parts)
  }

  private mutating func sequence(isOutermost: Bool) throws(PatternError) -> Pattern {
    var parts: [Pattern] = []
    let isAnchored = accept("^")
    var endsAnchored = false
    if isAnchored, !isOutermost { throw Self.innerAnchor }
    while let scalar = next, scalar != "|", scalar != ")" {
      if scalar == "$" {
        place += 1
        guard isOutermost, next == nil || next == "|" else { throw Self.innerAnchor }
        endsAnchored = true
        break
      }
      parts.append(try quantified())
    }
    guard isOutermost else { return parts.count == 1 ? parts[0] : .sequence(parts) }
    return .sequence(
      (isAnchored ? [] : [Self.anything]) + parts + (endsAnchored ? [] : [Self.anything]))
  }

  private static let innerAnchor = PatternError(
    problem: "has '^' or '$' elsewhere than at its beginning and end", isUnsupported: true)

  private mutating func quantified() throws(PatternError) -> Pattern {
    let atom = try atom()
    guard let counts = try quantifier() else { return atom }
    // Whether as few as possible are taken makes no difference to what matches.
    _ = accept("?")
    if accept("+") {
      throw PatternError(problem: "has a possessive quantifier", isUnsupported: true)
    }
    if let scalar = next, "*+?{".unicodeScalars.contains(scalar) {
      throw PatternError(problem: "has a '\(scalar)' behind another quantifier")
    }
    return .repeated(atom, atLeast: counts.0, atMost: counts.1)
  }

  /// How often what stands before may come; nil where nothing says it.
  private mutating func quantifier() throws(PatternError) -> (Int, Int?)? {
    if accept("*") { return (0, nil) }
    if accept("+") { return (1, nil) }
    if accept("?") { return (0, 1) }
    return next == "{" ? try braces() : nil
  }

  /// Counts in braces, read to their end.
  private mutating func braces() throws(PatternError) -> (Int, Int?) {
    let start = place
    place += 1
    let least = number()
    var most = least
    if accept(",") { most = number() }
    let hasComma = scalars[start..<place].contains(",")
    guard accept("}"), let least, hasComma || most != nil else {
      place = start
      throw PatternError(problem: "has a '{' that begins no counts; write '\\{'")
    }
    guard least <= Self.maximumRepeats, (most ?? least) <= Self.maximumRepeats,
      least <= most ?? least
    else {
      throw PatternError(problem: "has counts that are not between 0 and \(Self.maximumRepeats)")
    }
    return (least, most)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let scalar = next, ("0"..."9").contains(scalar), value ?? 0 < 1_000_000 {
      value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
      place += 1
    }
    return value
  }

  private mutating func atom() throws(PatternError) -> Pattern {
    guard let scalar = next else { throw PatternError(problem: "ends early") }
    place += 1
    switch scalar {
    case "(":
      if accept("?") {
        guard accept(":") else {
          // A name is as good as none.
          let isNamed = accept("<")
          guard let kind = next, !"=!".unicodeScalars.contains(kind) else {
            throw PatternError(
              problem: "looks ahead or back, which no format here can", isUnsupported: true)
          }
          guard isNamed else {
            throw PatternError(
              problem: "has a '(?\(kind)', which ECMA-262 has not, and so no JSON schema")
          }
          while let scalar = next, scalar != ">" {
            place += 1
            _ = scalar
          }
          _ = accept(">")
          return try group()
        }
      }
      return try group()
    case "[": return .scalar(try bracket())
    case ".": return .scalar(PatternClass.lineEnds.inverted)
    case "\\": return .scalar(try escape(inBracket: false))
    case "*", "+", "?": throw PatternError(problem: "has a '\(scalar)' with nothing before it")
    case "{": throw PatternError(problem: "has a '{' with nothing before it; write '\\{'")
    case "^", "$": throw Self.innerAnchor
    default: return .scalar(Self.just(scalar))
    }
  }

  private mutating func group() throws(PatternError) -> Pattern {
    let inside = try alternatives()
    guard accept(")") else { throw PatternError(problem: "has a '(' without its ')'") }
    return inside
  }

  private static func just(_ scalar: Unicode.Scalar) -> ScalarRanges {
    ScalarRanges([scalar.value...scalar.value])
  }

  private mutating func bracket() throws(PatternError) -> ScalarRanges {
    let isInverted = accept("^")
    // Put together at the end: a set is brought into order each time that it is made.
    var ranges: [ClosedRange<UInt32>] = []
    while let scalar = next, scalar != "]" {
      let first = try bracketMember()
      guard next == "-", place + 1 < scalars.count, scalars[place + 1] != "]" else {
        ranges += first.ranges
        continue
      }
      place += 1
      let last = try bracketMember()
      guard let low = Self.single(first), let high = Self.single(last), low <= high else {
        throw PatternError(problem: "has a range in brackets that is none")
      }
      ranges.append(low...high)
    }
    guard accept("]") else { throw PatternError(problem: "has a '[' without its ']'") }
    let set = ScalarRanges(ranges)
    return isInverted ? set.inverted : set
  }

  private mutating func bracketMember() throws(PatternError) -> ScalarRanges {
    guard let scalar = next else { throw PatternError(problem: "has a '[' without its ']'") }
    place += 1
    return scalar == "\\" ? try escape(inBracket: true) : Self.just(scalar)
  }

  private static func single(_ set: ScalarRanges) -> UInt32? {
    guard set.ranges.count == 1, let range = set.ranges.first, range.count == 1 else { return nil }
    return range.lowerBound
  }

  private mutating func escape(inBracket: Bool) throws(PatternError) -> ScalarRanges {
    guard let scalar = next else { throw PatternError(problem: "ends with a backslash") }
    place += 1
    switch scalar {
    case "d": return PatternClass.digits
    case "D": return PatternClass.digits.inverted
    case "w": return PatternClass.words
    case "W": return PatternClass.words.inverted
    case "s": return PatternClass.spaces
    case "S": return PatternClass.spaces.inverted
    case "n": return Self.just("\n")
    case "r": return Self.just("\r")
    case "t": return Self.just("\t")
    case "f": return Self.just("\u{C}")
    case "v": return Self.just("\u{B}")
    case "0": return Self.just("\0")
    case "b" where inBracket: return Self.just("\u{8}")
    case "x": return try hexadecimal(digits: 2)
    case "u": return try hexadecimal(digits: 4)
    case "a"..."z", "A"..."Z", "1"..."9":
      throw PatternError(
        problem: "has '\\\(scalar)', which no format here can", isUnsupported: true)
    default: return Self.just(scalar)
    }
  }

  private mutating func hexadecimal(digits: Int) throws(PatternError) -> ScalarRanges {
    var value: UInt32 = 0
    for _ in 0..<digits {
      guard let digit = next.flatMap({ Character($0).hexDigitValue }) else {
        throw PatternError(problem: "has a short \\x or \\u")
      }
      value = value << 4 | UInt32(digit)
      place += 1
    }
    guard let scalar = Unicode.Scalar(value) else {
      throw PatternError(problem: "names half a surrogate pair", isUnsupported: true)
    }
    return Self.just(scalar)
  }
}
