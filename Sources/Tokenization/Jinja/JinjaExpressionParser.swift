/// Reads the expressions of one tag, with Jinja's precedences.
struct JinjaExpressionParser {
  private let tokens: [JinjaToken]
  private let line: Int
  private var position = 0
  private var depth = 0

  init(_ tokens: [JinjaToken], line: Int) {
    self.tokens = tokens
    self.line = line
  }

  /// The first token, for a block its name.
  var blockName: String {
    if case .name(let name)? = tokens.first { name } else { "" }
  }

  var isAtEnd: Bool { token == .end }

  private var token: JinjaToken { position < tokens.count ? tokens[position] : .end }

  private mutating func advance() { position += 1 }

  func error(_ message: String) -> ChatTemplateError {
    ChatTemplateError(kind: .syntax, message: message, line: line)
  }

  // MARK: - Tokens

  func expectEnd() throws(ChatTemplateError) {
    guard token == .end else { throw error("unexpected \(token.text)") }
  }

  mutating func accept(_ symbol: String) -> Bool {
    guard token == .symbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func accept(name: String) -> Bool {
    guard token == .name(name) else { return false }
    advance()
    return true
  }

  mutating func expect(_ symbol: String) throws(ChatTemplateError) {
    guard accept(symbol) else { throw error("expected \(symbol), found \(token.text)") }
  }

  mutating func expect(name: String) throws(ChatTemplateError) {
    guard accept(name: name) else { throw error("expected \(name), found \(token.text)") }
  }

  mutating func name() throws(ChatTemplateError) -> String {
    guard case .name(let name) = token else { throw error("expected a name, found \(token.text)") }
    advance()
    return name
  }

  func singleName() throws(ChatTemplateError) -> String {
    var copy = self
    let name = try copy.name()
    try copy.expectEnd()
    return name
  }

  // MARK: - Parts of blocks

  /// `a` or `a, b`, also in parentheses.
  mutating func nameList() throws(ChatTemplateError) -> [String] {
    let parenthesised = accept("(")
    var names = [try name()]
    while accept(",") { names.append(try name()) }
    if parenthesised { try expect(")") }
    return names
  }

  mutating func targets() throws(ChatTemplateError) -> [JinjaTarget] {
    var targets: [JinjaTarget] = []
    repeat {
      let first = try name()
      targets.append(accept(".") ? .attribute(first, try name()) : .name(first))
    } while accept(",")
    return targets
  }

  mutating func parameters() throws(ChatTemplateError) -> [(
    name: String, standard: JinjaExpression?
  )] {
    var parameters: [(name: String, standard: JinjaExpression?)] = []
    try expect("(")
    while !accept(")") {
      if !parameters.isEmpty { try expect(",") }
      if accept(")") { break }
      let parameter = try name()
      parameters.append((parameter, accept("=") ? try expression() : nil))
    }
    return parameters
  }

  // MARK: - Expressions

  /// An expression, or several with commas between, which make a list.
  mutating func tuple(conditional: Bool = true) throws(ChatTemplateError) -> JinjaExpression {
    let first = conditional ? try expression() : try or()
    guard token == .symbol(",") else { return first }
    var items = [first]
    while accept(",") {
      if token == .end || token == .symbol(")") { break }
      items.append(conditional ? try expression() : try or())
    }
    return .list(items)
  }

  mutating func expression() throws(ChatTemplateError) -> JinjaExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= JinjaParser.maximumDepth else {
      throw ChatTemplateError(
        kind: .limit, message: "expressions nest deeper than \(JinjaParser.maximumDepth)",
        line: line)
    }
    var value = try or()
    while accept(name: "if") {
      let condition = try or()
      let otherwise = accept(name: "else") ? try expression() : nil
      value = .conditional(value, condition: condition, otherwise: otherwise)
    }
    return value
  }

  private mutating func or() throws(ChatTemplateError) -> JinjaExpression {
    var left = try and()
    while accept(name: "or") { left = .or(left, try and()) }
    return left
  }

  private mutating func and() throws(ChatTemplateError) -> JinjaExpression {
    var left = try not()
    while accept(name: "and") { left = .and(left, try not()) }
    return left
  }

  private mutating func not() throws(ChatTemplateError) -> JinjaExpression {
    var count = 0
    while accept(name: "not") { count += 1 }
    var value = try comparison()
    for _ in 0..<count { value = .not(value) }
    return value
  }

  private mutating func comparison() throws(ChatTemplateError) -> JinjaExpression {
    let first = try sum()
    var rest: [(operation: String, value: JinjaExpression)] = []
    while true {
      if case .symbol(let symbol) = token, ["==", "!=", "<", "<=", ">", ">="].contains(symbol) {
        advance()
        rest.append((symbol, try sum()))
      } else if accept(name: "in") {
        rest.append(("in", try sum()))
      } else if token == .name("not"), position + 1 < tokens.count,
        tokens[position + 1] == .name("in")
      {
        position += 2
        rest.append(("not in", try sum()))
      } else {
        return rest.isEmpty ? first : .compare(first, rest)
      }
    }
  }

  private mutating func sum() throws(ChatTemplateError) -> JinjaExpression {
    var left = try concatenation()
    while true {
      if accept("+") {
        left = .binary("+", left, try concatenation())
      } else if accept("-") {
        left = .binary("-", left, try concatenation())
      } else {
        return left
      }
    }
  }

  private mutating func concatenation() throws(ChatTemplateError) -> JinjaExpression {
    var left = try product()
    while accept("~") { left = .binary("~", left, try product()) }
    return left
  }

  private mutating func product() throws(ChatTemplateError) -> JinjaExpression {
    var left = try power()
    while case .symbol(let symbol) = token, ["*", "/", "//", "%"].contains(symbol) {
      advance()
      left = .binary(symbol, left, try power())
    }
    return left
  }

  private mutating func power() throws(ChatTemplateError) -> JinjaExpression {
    var left = try unary(filters: true)
    while accept("**") { left = .binary("**", left, try unary(filters: true)) }
    return left
  }

  private mutating func unary(filters: Bool) throws(ChatTemplateError) -> JinjaExpression {
    var signs: [String] = []
    while case .symbol(let symbol) = token, symbol == "-" || symbol == "+" {
      advance()
      signs.append(symbol)
    }
    var value = try postfix(try primary())
    if signs.isEmpty { return filters ? try filtersAndTests(value) : value }
    for sign in signs.reversed() where sign == "-" { value = .negate(value) }
    return filters ? try filtersAndTests(value) : value
  }

  private mutating func primary() throws(ChatTemplateError) -> JinjaExpression {
    let current = token
    advance()
    switch current {
    case .string(var text):
      while case .string(let more) = token {
        text += more
        advance()
      }
      return .string(text)
    case .int(let value): return .int(value)
    case .float(let value): return .float(value)
    case .name("true"), .name("True"): return .bool(true)
    case .name("false"), .name("False"): return .bool(false)
    case .name("none"), .name("None"): return .none
    case .name(let name): return .name(name)
    case .symbol("("):
      if accept(")") { return .list([]) }
      depth += 1
      let value = try tuple()
      depth -= 1
      try expect(")")
      return value
    case .symbol("["):
      var items: [JinjaExpression] = []
      while !accept("]") {
        if !items.isEmpty { try expect(",") }
        if accept("]") { break }
        items.append(try expression())
      }
      return .list(items)
    case .symbol("{"):
      var pairs: [(key: JinjaExpression, value: JinjaExpression)] = []
      while !accept("}") {
        if !pairs.isEmpty { try expect(",") }
        if accept("}") { break }
        let key = try expression()
        try expect(":")
        pairs.append((key, try expression()))
      }
      return .dictionary(pairs)
    default: throw error("unexpected \(current.text)")
    }
  }

  private mutating func postfix(
    _ start: JinjaExpression
  ) throws(ChatTemplateError) -> JinjaExpression {
    var value = start
    while true {
      if accept(".") {
        if case .int(let index) = token {
          advance()
          value = .item(value, .int(index))
        } else {
          value = .attribute(value, try name())
        }
      } else if accept("[") {
        value = try subscripted(value)
      } else if token == .symbol("(") {
        value = .call(value, try arguments())
      } else {
        return value
      }
    }
  }

  private mutating func subscripted(
    _ value: JinjaExpression
  ) throws(ChatTemplateError) -> JinjaExpression {
    var start: JinjaExpression?
    if token != .symbol(":") {
      let index = try expression()
      if accept("]") { return .item(value, index) }
      start = index
    }
    try expect(":")
    var stop: JinjaExpression?
    var step: JinjaExpression?
    if token != .symbol(":"), token != .symbol("]") { stop = try expression() }
    if accept(":"), token != .symbol("]") { step = try expression() }
    try expect("]")
    return .slice(value, start: start, stop: stop, step: step)
  }

  private mutating func arguments() throws(ChatTemplateError) -> JinjaArguments {
    var arguments = JinjaArguments()
    try expect("(")
    var isFirst = true
    while !accept(")") {
      if !isFirst { try expect(",") }
      isFirst = false
      if accept(")") { break }
      if case .name(let name) = token, position + 1 < tokens.count,
        tokens[position + 1] == .symbol("=")
      {
        position += 2
        arguments.named.append((name, try expression()))
      } else {
        arguments.positional.append(try expression())
      }
    }
    return arguments
  }

  /// The filters of a `filter` block: the first one's name, then more behind bars.
  mutating func filters(of value: JinjaExpression) throws(ChatTemplateError) -> JinjaExpression {
    var filtered = try filter(value)
    while accept("|") { filtered = try filter(filtered) }
    return filtered
  }

  private mutating func filter(
    _ value: JinjaExpression
  ) throws(ChatTemplateError) -> JinjaExpression {
    let name = try name()
    return .filter(value, name, token == .symbol("(") ? try arguments() : JinjaArguments())
  }

  private mutating func filtersAndTests(
    _ start: JinjaExpression
  ) throws(ChatTemplateError) -> JinjaExpression {
    var value = start
    while true {
      if accept("|") {
        value = try filter(value)
      } else if accept(name: "is") {
        let negated = accept(name: "not")
        let test = try name()
        var testArguments = JinjaArguments()
        if token == .symbol("(") {
          testArguments = try arguments()
        } else if startsTestArgument {
          testArguments.positional = [try postfix(try primary())]
        }
        value = .test(value, test, testArguments)
        if negated { value = .not(value) }
      } else {
        return value
      }
    }
  }

  /// Whether a test's argument without parentheses follows, as in `x is divisibleby 3`.
  private var startsTestArgument: Bool {
    switch token {
    case .string, .int, .float, .symbol("["), .symbol("{"): true
    case .name(let name): !["else", "or", "and", "is", "if", "in", "not"].contains(name)
    case .symbol, .end: false
    }
  }
}
