/// A set of Unicode's scalars, as ranges in order.
struct ScalarRanges: Equatable, Sendable {
  private(set) var ranges: [ClosedRange<UInt32>]

  static let largest: UInt32 = 0x10_FFFF
  private static let surrogates: ClosedRange<UInt32> = 0xD800...0xDFFF

  /// Any ranges, in any order; surrogates are no scalars and are left out.
  init(_ ranges: [ClosedRange<UInt32>]) {
    var merged: [ClosedRange<UInt32>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    self.ranges = merged.flatMap { Self.subtract(Self.surrogates, from: $0) }
  }

  static let all = ScalarRanges([0...largest])

  var inverted: ScalarRanges { Self.all.subtracting(self) }

  func subtracting(_ other: ScalarRanges) -> ScalarRanges {
    var left: [ClosedRange<UInt32>] = []
    // Both are in order: what ends before a range begins ends before the next one too.
    var place = 0
    for range in ranges {
      while place < other.ranges.count, other.ranges[place].upperBound < range.lowerBound {
        place += 1
      }
      var rest: ClosedRange<UInt32>? = range
      var next = place
      while let piece = rest, next < other.ranges.count,
        other.ranges[next].lowerBound <= piece.upperBound
      {
        let pieces = Self.subtract(other.ranges[next], from: piece)
        rest = pieces.last.flatMap { $0.lowerBound > other.ranges[next].upperBound ? $0 : nil }
        if let first = pieces.first, first != rest { left.append(first) }
        next += 1
      }
      if let rest { left.append(rest) }
    }
    return ScalarRanges(left)
  }

  func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }

  private static func subtract(
    _ other: ClosedRange<UInt32>, from range: ClosedRange<UInt32>
  ) -> [ClosedRange<UInt32>] {
    guard range.overlaps(other) else { return [range] }
    var rest: [ClosedRange<UInt32>] = []
    if range.lowerBound < other.lowerBound { rest.append(range.lowerBound...other.lowerBound - 1) }
    if range.upperBound > other.upperBound { rest.append(other.upperBound + 1...range.upperBound) }
    return rest
  }
}

extension GrammarBuilder {
  /// One scalar of the set, in UTF-8.
  mutating func scalar(_ set: ScalarRanges, from state: State) throws -> State {
    let end = try newState()
    for range in set.ranges {
      for part in Self.partsOfOneLength(range) {
        try scalars(
          encode(part.lowerBound), encode(part.upperBound), from: state, to: end)
      }
    }
    return end
  }

  /// All texts between two of the same length, where what follows a byte depends on it only at the ends.
  private mutating func scalars(
    _ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>, from state: State, to end: State
  ) throws {
    guard let first = low.first, let last = high.first else { return }
    guard low.count > 1 else { return bytes(first...last, from: state, to: end) }
    let lowRest = low.dropFirst()
    let highRest = high.dropFirst()
    if first == last {
      return try scalars(lowRest, highRest, from: try bytes(first...first, from: state), to: end)
    }
    let least = ArraySlice(repeating: UInt8(0x80), count: lowRest.count)
    let most = ArraySlice(repeating: UInt8(0xBF), count: lowRest.count)
    var inner = first...last
    if lowRest != least {
      try scalars(lowRest, most, from: try bytes(first...first, from: state), to: end)
      inner = first + 1...last
    }
    if highRest != most {
      try scalars(least, highRest, from: try bytes(last...last, from: state), to: end)
      guard inner.lowerBound < last else { return }
      inner = inner.lowerBound...last - 1
    }
    try scalars(least, most, from: try bytes(inner, from: state), to: end)
  }

  private static func partsOfOneLength(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
    [0...0x7F, 0x80...0x7FF, 0x800...0xFFFF, 0x1_0000...ScalarRanges.largest].compactMap {
      range.overlaps($0) ? range.clamped(to: $0) : nil
    }
  }

  private func encode(_ scalar: UInt32) -> ArraySlice<UInt8> {
    guard let scalar = Unicode.Scalar(scalar), let bytes = UTF8.encode(scalar) else { return [] }
    return ArraySlice(bytes)
  }
}
