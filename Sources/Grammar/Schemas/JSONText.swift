import JSON

/// JSON's own grammar, in the spelling that models and `json.dumps` have: white space only where lines are
/// broken or words parted, and not without end, for a small model that may write blanks writes nothing else.
extension GrammarBuilder {
  /// What may stand in a string without an escape.
  static let plainStringScalars = ScalarRanges([0x20...ScalarRanges.largest])
    .subtracting(ScalarRanges([0x22...0x22, 0x5C...0x5C]))

  /// Digits of a number before and behind the point, as many as a double can tell apart, and of its exponent: with
  /// three it could be infinite.
  private static let digits = (whole: 15, fraction: 16, exponent: 2)
  private static let indentation = (blanks: 32, tabs: 10)

  /// Nothing, a blank, or a line's end and the next one's indentation.
  mutating func space(from state: State) throws -> State {
    let rule = try rule("space") { builder, start in
      try builder.optional(from: start) { builder, start in
        try builder.choice(
          from: start,
          [
            { try $0.literal(" ", from: $1) },
            { builder, start in
              let line = try builder.repeated(1...2, from: start) { try $0.literal("\n", from: $1) }
              return try builder.choice(
                from: line,
                [
                  {
                    try $0.repeated(0...Self.indentation.blanks, from: $1) {
                      try $0.literal(" ", from: $1)
                    }
                  },
                  {
                    try $0.repeated(1...Self.indentation.tabs, from: $1) {
                      try $0.literal("\t", from: $1)
                    }
                  },
                ])
            },
          ])
      }
    }
    return try call(rule, from: state)
  }

  /// One character of a string, escaped or not.
  mutating func stringCharacter(from state: State) throws -> State {
    let rule = try rule("character") { builder, start in
      let end = try builder.scalar(Self.plainStringScalars, from: start)
      let escape = try builder.literal("\\", from: start)
      for byte in "\"\\/bfnrt".utf8 { builder.bytes(byte...byte, from: escape, to: end) }
      let code = try builder.literal("u", from: escape)
      builder.jump(from: try builder.unicodeEscape(from: code), to: end)
      return end
    }
    return try call(rule, from: state)
  }

  /// Four hexadecimal digits, or two surrogates that belong together.
  private mutating func unicodeEscape(from state: State) throws -> State {
    func hexadecimal(_ builder: inout Self, _ state: State) throws -> State {
      let end = try builder.bytes(0x30...0x39, from: state)
      builder.bytes(0x41...0x46, from: state, to: end)
      builder.bytes(0x61...0x66, from: state, to: end)
      return end
    }
    func either(_ bytes: String, _ builder: inout Self, _ state: State) throws -> State {
      let end = try builder.newState()
      for byte in bytes.utf8 { builder.bytes(byte...byte, from: state, to: end) }
      return end
    }
    return try choice(
      from: state,
      [
        { builder, start in
          let first = try either("0123456789abcefABCEF", &builder, start)
          return try builder.repeated(3...3, from: first, hexadecimal)
        },
        { builder, start in
          let first = try either("dD", &builder, start)
          let second = try either("01234567", &builder, first)
          return try builder.repeated(2...2, from: second, hexadecimal)
        },
        { builder, start in
          var state = try either("dD", &builder, start)
          state = try either("89abAB", &builder, state)
          state = try builder.repeated(2...2, from: state, hexadecimal)
          state = try builder.literal("\\u", from: state)
          state = try either("dD", &builder, state)
          state = try either("cdefCDEF", &builder, state)
          return try builder.repeated(2...2, from: state, hexadecimal)
        },
      ])
  }

  /// Any string.
  mutating func string(from state: State) throws -> State {
    let rule = try rule("string") { builder, start in
      let open = try builder.literal("\"", from: start)
      let inside = try builder.repeated(0..., from: open) { try $0.stringCharacter(from: $1) }
      return try builder.literal("\"", from: inside)
    }
    return try call(rule, from: state)
  }

  /// A string of so many characters; of at least so many where there is no upper bound.
  mutating func string(_ counts: (minimum: Int, maximum: Int?), from state: State) throws -> State {
    let open = try literal("\"", from: state)
    let character: Piece = { try $0.stringCharacter(from: $1) }
    let inside =
      if let maximum = counts.maximum {
        try repeated(counts.minimum...maximum, from: open, character)
      } else {
        try repeated(counts.minimum..., from: open, character)
      }
    return try literal("\"", from: inside)
  }

  /// A character of the set as a string has it: with a backslash where one is needed.
  mutating func stringScalar(_ set: ScalarRanges, from state: State) throws -> State {
    let end = try newState()
    let plain = set.subtracting(Self.plainStringScalars.inverted)
    if !plain.ranges.isEmpty { jump(from: try scalar(plain, from: state), to: end) }
    for value in set.subtracting(Self.plainStringScalars).ranges.joined() {
      guard let scalar = Unicode.Scalar(value) else { continue }
      var json = JSONWriter()
      json.string(String(scalar))
      jump(from: try literal(json.bytes.dropFirst().dropLast(), from: state), to: end)
    }
    return end
  }

  /// Any number. With `fraction` false a whole one.
  mutating func number(fraction: Bool, from state: State) throws -> State {
    let rule = try rule(fraction ? "number" : "integer") { builder, start in
      let digit: Piece = { try $0.bytes(0x30...0x39, from: $1) }
      let sign = try builder.optional(from: start) { try $0.literal("-", from: $1) }
      let whole = try builder.choice(
        from: sign,
        [
          { try $0.literal("0", from: $1) },
          {
            let first = try $0.bytes(0x31...0x39, from: $1)
            return try $0.repeated(0...(Self.digits.whole - 1), from: first, digit)
          },
        ])
      guard fraction else { return whole }
      let decimals = try builder.optional(from: whole) {
        try $0.repeated(1...Self.digits.fraction, from: try $0.literal(".", from: $1), digit)
      }
      return try builder.optional(from: decimals) { builder, start in
        var state = try builder.newState()
        for byte in "eE".utf8 { builder.bytes(byte...byte, from: start, to: state) }
        state = try builder.optional(from: state) { builder, start in
          let end = try builder.literal("+", from: start)
          builder.bytes(UInt8(ascii: "-")...UInt8(ascii: "-"), from: start, to: end)
          return end
        }
        return try builder.repeated(1...Self.digits.exponent, from: state, digit)
      }
    }
    return try call(rule, from: state)
  }

  /// Pieces between brackets, with commas between them and white space where it is usual.
  ///
  /// - Parameters:
  ///   - first: Pieces that must be there, in order.
  ///   - more: How many of `item` may follow; nil for any number.
  mutating func array(
    first: [Piece], item: Piece?, more: (minimum: Int, maximum: Int?), from state: State
  ) throws -> State {
    let open = try space(from: try literal("[", from: state))
    let close = try newState()
    var current = open
    var isEmpty = true
    func behindComma(_ piece: Piece, _ builder: inout Self, _ start: State) throws -> State {
      try piece(&builder, try builder.space(from: try builder.literal(",", from: start)))
    }
    for piece in first {
      current =
        isEmpty ? try piece(&self, current) : try behindComma(piece, &self, current)
      isEmpty = false
    }
    if let item, more.maximum ?? 1 > 0 {
      if isEmpty {
        if more.minimum == 0 { jump(from: current, to: close) }
        current = try item(&self, current)
        let minimum = max(more.minimum - 1, 0)
        let rest: Piece = { try behindComma(item, &$0, $1) }
        current =
          if let maximum = more.maximum {
            try repeated(minimum...(maximum - 1), from: current, rest)
          } else {
            try repeated(minimum..., from: current, rest)
          }
      } else {
        let rest: Piece = { try behindComma(item, &$0, $1) }
        current =
          if let maximum = more.maximum {
            try repeated(more.minimum...maximum, from: current, rest)
          } else {
            try repeated(more.minimum..., from: current, rest)
          }
      }
      isEmpty = false
    }
    jump(from: isEmpty ? current : try space(from: current), to: close)
    return try literal("]", from: close)
  }

  /// Any value.
  mutating func anyValue(from state: State) throws -> State {
    let (rule, isNew) = try declare("value")
    if isNew {
      try define(rule) { builder, start in
        try builder.choice(
          from: start,
          [
            { try $0.anyObject(from: $1) },
            {
              try $0.array(
                first: [], item: { try $0.anyValue(from: $1) }, more: (0, nil), from: $1)
            },
            { try $0.string(from: $1) },
            { try $0.number(fraction: true, from: $1) },
            { try $0.literal("true", from: $1) },
            { try $0.literal("false", from: $1) },
            { try $0.literal("null", from: $1) },
          ])
      }
    }
    return try call(rule, from: state)
  }

  /// Any object.
  mutating func anyObject(from state: State) throws -> State {
    let open = try space(from: try literal("{", from: state))
    let close = try newState()
    jump(from: open, to: close)
    func member(_ builder: inout Self, _ start: State) throws -> State {
      let key = try builder.string(from: start)
      let colon = try builder.space(from: try builder.literal(":", from: key))
      return try builder.anyValue(from: colon)
    }
    let first = try member(&self, open)
    let members = try repeated(0..., from: first) {
      try member(&$0, try $0.space(from: try $0.literal(",", from: $1)))
    }
    jump(from: try space(from: members), to: close)
    return try literal("}", from: close)
  }

  /// Just this value, with the white space that any other may have.
  mutating func constant(_ value: JSONValue, from state: State) throws -> State {
    switch value {
    case .array(let items):
      let pieces: [Piece] = items.map { item in { try $0.constant(item, from: $1) } }
      return try array(first: pieces, item: nil, more: (0, 0), from: state)
    case .object(let pairs):
      var current = try space(from: try literal("{", from: state))
      for (index, pair) in pairs.enumerated() {
        if index > 0 { current = try space(from: try literal(",", from: current)) }
        current = try literal(JSONValue.string(pair.key).json + [0x3A], from: current)
        current = try constant(pair.value, from: try space(from: current))
      }
      if !pairs.isEmpty { current = try space(from: current) }
      return try literal("}", from: current)
    default: return try literal(value.json, from: state)
    }
  }
}
