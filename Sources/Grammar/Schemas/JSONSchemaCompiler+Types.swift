import JSON

extension JSONSchemaCompiler {
  /// Characters that a bound of a string's length may count.
  private static let longestString = 20_000
  private static let longestArray = 4_096

  func string(
    _ schema: SchemaObject, at path: String, from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    let minimum = try schema.count("minLength", atMost: Self.longestString)
    // A longer bound than any answer is none.
    let maximum = try schema.count("maxLength", atMost: .max).flatMap {
      $0 > Self.longestString ? nil : $0
    }
    let pattern = try pattern(schema, at: path)
    guard let pattern else {
      guard minimum != nil || maximum != nil else { return try builder.string(from: state) }
      guard minimum ?? 0 <= maximum ?? .max else {
        throw JSONSchemaError(path: path, problem: "minLength is larger than maxLength")
      }
      return try builder.string((minimum ?? 0, maximum), from: state)
    }
    // No string that matches is empty, where that is all that is asked besides.
    guard !isStrict || (maximum == nil && minimum ?? 0 <= (pattern.takesEmpty ? 0 : 1)) else {
      throw JSONSchemaError(
        .unsupported, path: path, problem: "a length beside 'pattern' or 'format' is not supported")
    }
    let open = try builder.literal("\"", from: state)
    let inside = try builder.string(matching: pattern, from: open)
    return try builder.literal("\"", from: inside)
  }

  private func pattern(
    _ schema: SchemaObject, at path: String
  ) throws(JSONSchemaError) -> Pattern? {
    var text: String?
    var keyword = "pattern"
    if let value = schema.values["format"], case .string(let name) = value {
      text = NamedFormat.patterns[name]
      keyword = "format"
    }
    if let value = schema.values["pattern"] {
      guard case .string(let pattern) = value else {
        throw JSONSchemaError(path: path + "/pattern", problem: "must be a string")
      }
      guard text == nil else {
        throw JSONSchemaError(
          .unsupported, path: path, problem: "'pattern' beside this 'format' is not supported")
      }
      text = pattern
      keyword = "pattern"
    }
    do throws(PatternError) {
      return try text.map { text throws(PatternError) in try PatternParser.parse(text) }
    } catch {
      if error.isUnsupported, !isStrict { return nil }
      throw JSONSchemaError(
        error.isUnsupported ? .unsupported : .invalid, path: "\(path)/\(keyword)",
        problem: error.problem)
    }
  }

  func number(
    _ schema: SchemaObject, isInteger: Bool, at path: String, from state: State,
    in builder: inout GrammarBuilder
  ) throws -> State {
    var range = NumberRange(isInteger: isInteger)
    func bound(_ keyword: String, isExclusive: Bool) throws(JSONSchemaError) -> NumberRange.Bound? {
      guard let value = schema.values[keyword] else { return nil }
      guard let bound = NumberRange.Bound(value, isExclusive: isExclusive) else {
        guard isStrict else { return nil }
        throw JSONSchemaError(
          .unsupported, path: "\(path)/\(keyword)",
          problem: "must be a number below 1e15 and not nearly zero")
      }
      return bound
    }
    let minimum = try bound("minimum", isExclusive: false)
    let above = try bound("exclusiveMinimum", isExclusive: true)
    let maximum = try bound("maximum", isExclusive: false)
    let below = try bound("exclusiveMaximum", isExclusive: true)
    guard minimum == nil || above == nil, maximum == nil || below == nil else {
      throw JSONSchemaError(
        .unsupported, path: path,
        problem: "a bound beside the exclusive one of the same side is not supported")
    }
    range.minimum = minimum ?? above
    range.maximum = maximum ?? below
    guard range.minimum != nil || range.maximum != nil else {
      return try builder.number(fraction: !isInteger, from: state)
    }
    guard let end = try builder.number(in: range, from: state) else {
      throw JSONSchemaError(path: path, problem: "no number is within these bounds")
    }
    return end
  }

  mutating func array(
    _ schema: SchemaObject, at path: String, from state: State, in builder: inout GrammarBuilder
  ) throws -> State {
    var first: [JSONValue] = []
    if let value = schema.values["prefixItems"] {
      guard case .array(let items) = value else {
        throw JSONSchemaError(path: path + "/prefixItems", problem: "must be a list of schemas")
      }
      first = items
    }
    let minimum = try schema.count("minItems", atMost: Self.longestArray) ?? 0
    let maximum = try schema.count("maxItems", atMost: .max).flatMap {
      $0 > Self.longestArray ? nil : $0
    }
    guard minimum <= maximum ?? .max else {
      throw JSONSchemaError(path: path, problem: "minItems is larger than maxItems")
    }
    var item: JSONValue? = schema.values["items"] ?? .bool(true)
    // A list that names its first items has no others, unless 'items' says so: as with properties.
    if schema.values["items"] == nil, !first.isEmpty, minimum <= first.count { item = nil }
    if item == .bool(false) { item = nil }
    if let maximum, maximum < first.count { first.removeLast(first.count - maximum) }
    guard item != nil || minimum <= first.count else {
      throw JSONSchemaError(path: path, problem: "minItems is larger than what items there may be")
    }
    // The compiler writes while the builder calls it back, so that both are in hand at once.
    var compiler = self
    defer { self = compiler }
    let pieces: [GrammarBuilder.Piece] = first.enumerated().map { index, schema in
      { builder, start in
        try compiler.value(schema, at: "\(path)/prefixItems/\(index)", from: start, in: &builder)
      }
    }
    guard let item else {
      return try builder.array(first: pieces, item: nil, more: (0, 0), from: state)
    }
    // Written once, however often it is called.
    let rule = try compiler.rule(item, at: path + "/items", in: &builder)
    return try builder.array(
      first: pieces, item: { try $0.call(rule, from: $1) },
      more: (max(0, minimum - first.count), maximum.map { max(0, $0 - first.count) }), from: state)
  }
}

extension Pattern {
  /// Whether the empty text matches.
  var takesEmpty: Bool {
    switch self {
    case .scalar: false
    case .sequence(let parts): parts.allSatisfy(\.takesEmpty)
    case .choice(let parts): parts.contains(where: \.takesEmpty)
    case .repeated(let part, let least, _): least == 0 || part.takesEmpty
    }
  }
}
