/// A regular expression of a JSON schema, as far as it describes a regular language: no references back, no
/// looking around.
indirect enum Pattern: Equatable, Sendable {
  case scalar(ScalarRanges)
  case sequence([Pattern])
  case choice([Pattern])
  /// - Parameter atMost: Nil for any number.
  case repeated(Pattern, atLeast: Int, atMost: Int?)

  /// Whether nothing but the empty text matches. Repeating it means nothing, however often it is done.
  var isEmpty: Bool {
    switch self {
    case .scalar: false
    case .sequence(let parts), .choice(let parts): parts.allSatisfy(\.isEmpty)
    case .repeated(let part, _, let most): most == 0 || part.isEmpty
    }
  }
}

/// What is wrong with a pattern.
struct PatternError: Error, Equatable {
  let problem: String
  /// Whether it is a pattern, of a kind that can't be kept to here.
  var isUnsupported = false
}

extension GrammarBuilder {
  private static let inlineRepetitions = 64

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
      guard !pattern.isEmpty else { return state }
      var piece: Piece = { try $0.string(matching: part, from: $1) }
      // Worked out once, where it comes often.
      if most ?? least > Self.inlineRepetitions {
        let body = piece
        let rule = try anonymousRule { try body(&$0, $1) }
        piece = { try $0.call(rule, from: $1) }
      }
      if let most { return try repeated(least...most, from: state, piece) }
      return try repeated(least..., from: state, piece)
    }
  }
}
