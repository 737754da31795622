import JSON

/// A number's bounds, as decimals: what is written is compared digit by digit, and never as a rounded double.
struct NumberRange {
  /// A bound's absolute value.
  struct Magnitude: Equatable {
    /// Digits before the point, without leading zeros but one for zero.
    var whole: [UInt8]
    /// Digits behind it.
    var fraction: [UInt8]
    /// Whether the bound itself is out.
    var isExclusive: Bool

    static let zero = Magnitude(whole: [0], fraction: [], isExclusive: false)

    var isZero: Bool { whole == [0] && fraction.allSatisfy { $0 == 0 } }

    func digit(behindPoint place: Int) -> UInt8 { place < fraction.count ? fraction[place] : 0 }

    /// Whether no digit but zero stands behind the point from a place on.
    func isWholeFrom(_ place: Int) -> Bool { fraction.dropFirst(place).allSatisfy { $0 == 0 } }
  }

  struct Bound: Equatable {
    var isNegative: Bool
    var magnitude: Magnitude

    /// Of a schema's number; nil where it is none that can be written in a few digits.
    init?(_ value: JSONValue, isExclusive: Bool) {
      let text: String
      switch value {
      case .int(let number): text = "\(number)"
      case .double(let number):
        guard number.isFinite, abs(number) < 1e15, number == 0 || abs(number) >= 1e-15 else {
          return nil
        }
        text = Self.plainText(number)
      default: return nil
      }
      isNegative = text.hasPrefix("-")
      let parts = text.drop { $0 == "-" }.split(separator: ".", maxSplits: 1)
      guard let whole = parts.first, whole.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
      }
      magnitude = Magnitude(
        whole: whole.utf8.map { $0 - 0x30 },
        fraction: parts.count > 1 ? parts[1].utf8.map { $0 - 0x30 } : [],
        isExclusive: isExclusive)
      if magnitude.isZero { isNegative = false }
    }

    /// A double's shortest digits without an exponent.
    private static func plainText(_ number: Double) -> String {
      let text = number.description
      guard let mark = text.firstIndex(of: "e"),
        let exponent = Int(text[text.index(after: mark)...])
      else { return text }
      // Only small ones are written with an exponent here: 1.5e-07.
      let digits = text[..<mark].filter { $0 != "." && $0 != "-" }
      let zeros = String(repeating: "0", count: max(0, -exponent - 1))
      return (number < 0 ? "-" : "") + "0." + zeros + digits
    }
  }

  var minimum: Bound?
  var maximum: Bound?
  /// Whether only whole numbers are meant.
  var isInteger: Bool

  /// Digits before and behind the point where no bound says less.
  static let digits = (whole: 15, fraction: 15)
}

extension GrammarBuilder {
  /// A number within bounds, without an exponent.
  /// - Returns: Nil where no number is within them.
  mutating func number(in range: NumberRange, from state: State) throws -> State? {
    let end = try newState()
    var isPossible = false
    // Numbers from zero up.
    if !(range.maximum.map { $0.isNegative } ?? false) {
      let low = range.minimum.flatMap { $0.isNegative ? nil : $0.magnitude }
      if let found = try magnitude(
        from: low, to: range.maximum?.magnitude, isInteger: range.isInteger, state)
      {
        jump(from: found, to: end)
        isPossible = true
      }
    }
    // Numbers below zero: their magnitudes, the other way round.
    if range.minimum.map({ $0.isNegative }) ?? true {
      var low = NumberRange.Magnitude.zero
      low.isExclusive = true
      if let maximum = range.maximum, maximum.isNegative { low = maximum.magnitude }
      let minus = try literal("-", from: state)
      if let found = try magnitude(
        from: low, to: range.minimum?.magnitude, isInteger: range.isInteger, minus)
      {
        jump(from: found, to: end)
        isPossible = true
      }
    }
    return isPossible ? end : nil
  }

  /// Digits of a number between two that are not negative.
  private mutating func magnitude(
    from low: NumberRange.Magnitude?, to high: NumberRange.Magnitude?, isInteger: Bool,
    _ state: State
  ) throws -> State? {
    var writer = MagnitudeWriter(low: low, high: high, isInteger: isInteger, end: try newState())
    let shortest = low?.whole.count ?? 1
    let longest = high?.whole.count ?? max(NumberRange.digits.whole, shortest)
    guard shortest <= longest else { return nil }
    for length in shortest...longest {
      try writer.whole(
        length: length, place: 0, atLow: low?.whole.count == length,
        atHigh: high?.whole.count == length,
        from: state, in: &self)
    }
    return writer.isPossible ? writer.end : nil
  }
}

/// Writes the digits of numbers between two: as long as they are those of a bound, the next may not pass it.
private struct MagnitudeWriter {
  private struct Place: Hashable {
    let length: Int
    let place: Int
    let atLow: Bool
    let atHigh: Bool
    let isFraction: Bool
  }

  let low: NumberRange.Magnitude?
  let high: NumberRange.Magnitude?
  let isInteger: Bool
  let end: Grammar.State
  private(set) var isPossible = false
  private var states: [Place: Grammar.State] = [:]

  init(
    low: NumberRange.Magnitude?, high: NumberRange.Magnitude?, isInteger: Bool, end: Grammar.State
  ) {
    self.low = low
    self.high = high
    self.isInteger = isInteger
    self.end = end
  }

  /// The digits before the point from a place on, of which there are `length`.
  mutating func whole(
    length: Int, place: Int, atLow: Bool, atHigh: Bool, from state: Grammar.State,
    in builder: inout GrammarBuilder
  ) throws {
    if place == length {
      try finish(place: 0, atLow: atLow, atHigh: atHigh, from: state, in: &builder)
      guard !isInteger else { return }
      let point = try builder.literal(".", from: state)
      return try fraction(place: 0, atLow: atLow, atHigh: atHigh, from: point, in: &builder)
    }
    let least: UInt8 = place == 0 && length > 1 ? 1 : 0
    try digits(
      least: least, low: atLow ? low?.whole[place] : nil, high: atHigh ? high?.whole[place] : nil,
      from: state, in: &builder
    ) { writer, builder, next, low, high in
      let key = Place(
        length: length, place: place + 1, atLow: low, atHigh: high, isFraction: false)
      try writer.once(key, next, &builder) { writer, builder, state in
        try writer.whole(
          length: length, place: place + 1, atLow: low, atHigh: high, from: state, in: &builder)
      }
    }
  }

  private mutating func fraction(
    place: Int, atLow: Bool, atHigh: Bool, from state: Grammar.State,
    in builder: inout GrammarBuilder
  ) throws {
    if place > 0 {
      try finish(place: place, atLow: atLow, atHigh: atHigh, from: state, in: &builder)
    }
    guard place < NumberRange.digits.fraction else { return }
    try digits(
      least: 0, low: atLow ? low?.digit(behindPoint: place) : nil,
      high: atHigh ? high?.digit(behindPoint: place) : nil, from: state, in: &builder
    ) { writer, builder, next, low, high in
      let key = Place(length: 0, place: place + 1, atLow: low, atHigh: high, isFraction: true)
      try writer.once(key, next, &builder) { writer, builder, state in
        try writer.fraction(
          place: place + 1, atLow: low, atHigh: high, from: state, in: &builder)
      }
    }
  }

  /// The next digits that a place may have, by whether they stay at a bound.
  private mutating func digits(
    least: UInt8, low: UInt8?, high: UInt8?, from state: Grammar.State,
    in builder: inout GrammarBuilder,
    _ goOn: (
      inout MagnitudeWriter, inout GrammarBuilder, (ClosedRange<UInt8>, Grammar.State), Bool, Bool
    ) throws -> Void
  ) throws {
    let first = max(least, low ?? 0)
    let last = high ?? 9
    guard first <= last else { return }
    var digit = first
    while digit <= last {
      let isLow = digit == low
      let isHigh = digit == high
      var upper = digit
      if !isLow, !isHigh { upper = high.map { $0 - 1 } ?? 9 }
      try goOn(&self, &builder, (0x30 + digit...0x30 + upper, state), isLow, isHigh)
      digit = upper + 1
    }
  }

  /// Leads to the state of a place, which is written once.
  private mutating func once(
    _ key: Place, _ edge: (digits: ClosedRange<UInt8>, from: Grammar.State),
    _ builder: inout GrammarBuilder,
    _ write: (inout MagnitudeWriter, inout GrammarBuilder, Grammar.State) throws -> Void
  ) throws {
    if let known = states[key] { return builder.bytes(edge.digits, from: edge.from, to: known) }
    let next = try builder.bytes(edge.digits, from: edge.from)
    states[key] = next
    try write(&self, &builder, next)
  }

  /// The number may end here, with `place` digits behind the point, if it is within the bounds so.
  private mutating func finish(
    place: Int, atLow: Bool, atHigh: Bool, from state: Grammar.State,
    in builder: inout GrammarBuilder
  ) throws {
    if atLow, let low, !low.isWholeFrom(place) || low.isExclusive { return }
    if atHigh, let high, high.isWholeFrom(place), high.isExclusive { return }
    builder.jump(from: state, to: end)
    isPossible = true
  }
}
