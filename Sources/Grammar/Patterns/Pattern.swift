/// A regular expression of a JSON schema, as far as it describes a regular language: no references back, no
/// looking around.
indirect enum Pattern: Equatable, Sendable {
  case scalar(ScalarRanges)
  case sequence([Pattern])
  case choice([Pattern])
  /// - Parameter atMost: Nil for any number.
  case repeated(Pattern, atLeast: Int, atMost: Int?)
}

/// What is wrong with a pattern.
struct PatternError: Error, Equatable {
  let problem: String
  /// Whether it is a pattern, of a kind that can't be kept to here.
  var isUnsupported = false
}

extension GrammarBuilder {
  /// The characters of a string that match.
  mutating func string(matching pattern: Pattern, from state: State) throws -> State {
    switch pattern {
    case .scalar(let set):
      // A larger set has dozens of states, and stands in patterns again and again: written once.
      guard set.ranges.count > 1 || set.ranges.contains(where: { $0.upperBound > 0x7F }) else {
        return try stringScalar(set, from: state)
      }
      let rule = try rule("set \(set.ranges)") { try $0.stringScalar(set, from: $1) }
      return try call(rule, from: state)
    case .sequence(let parts):
      return try parts.reduce(state) { try string(matching: $1, from: $0) }
    case .choice(let parts):
      return try choice(
        from: state, parts.map { part in { try $0.string(matching: part, from: $1) } })
    case .repeated(let part, let least, let most):
      let piece: Piece = { try $0.string(matching: part, from: $1) }
      if let most { return try repeated(least...most, from: state, piece) }
      return try repeated(least..., from: state, piece)
    }
  }
}
