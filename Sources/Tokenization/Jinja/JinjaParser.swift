/// Makes statements of a template's segments.
struct JinjaParser {
  private let segments: [JinjaSegment]
  private var position = 0
  private var depth = 0
  private var loops = 0

  static let maximumDepth = 64

  private init(_ segments: [JinjaSegment]) { self.segments = segments }

  static func statements(of template: String) throws(ChatTemplateError) -> [JinjaStatement] {
    var parser = JinjaParser(try JinjaLexer.segments(of: template))
    let (statements, _) = try parser.body(until: [], opener: "")
    return statements
  }

  /// Reads statements up to one of the block names, and returns that block's tokens.
  private mutating func body(
    until ends: Set<String>, opener: String, line openerLine: Int = 1
  ) throws(ChatTemplateError) -> ([JinjaStatement], JinjaExpressionParser) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else {
      throw ChatTemplateError(
        kind: .limit, message: "blocks nest deeper than \(Self.maximumDepth)", line: openerLine)
    }
    var statements: [JinjaStatement] = []
    while position < segments.count {
      let segment = segments[position]
      position += 1
      switch segment {
      case .text(let text): statements.append(JinjaStatement(kind: .text(text), line: 0))
      case .output(let tokens, let line):
        var expressions = JinjaExpressionParser(tokens, line: line)
        let expression = try expressions.tuple()
        try expressions.expectEnd()
        statements.append(JinjaStatement(kind: .output(expression), line: line))
      case .block(let tokens, let line):
        var expressions = JinjaExpressionParser(tokens, line: line)
        let name = try expressions.name()
        if ends.contains(name) { return (statements, expressions) }
        if let kind = try block(name, &expressions, line) {
          statements.append(JinjaStatement(kind: kind, line: line))
        }
      }
    }
    guard ends.isEmpty else {
      throw ChatTemplateError(
        kind: .syntax, message: "{% \(opener) %} is not closed", line: openerLine)
    }
    return (statements, JinjaExpressionParser([.end], line: 0))
  }

  private mutating func block(
    _ name: String, _ tokens: inout JinjaExpressionParser, _ line: Int
  ) throws(ChatTemplateError) -> JinjaStatement.Kind? {
    switch name {
    case "if": return try branch(&tokens, line)
    case "for": return try loop(&tokens, line)
    case "set": return try set(&tokens, line)
    case "macro": return try macro(&tokens, line)
    case "filter":
      let filters = try tokens.filters(of: .name(JinjaStatement.captured))
      try tokens.expectEnd()
      let (statements, closing) = try body(until: ["endfilter"], opener: "filter", line: line)
      try closing.expectEnd()
      return .filterBlock(filters, statements)
    case "break", "continue":
      try tokens.expectEnd()
      guard loops > 0 else { throw tokens.error("\(name) outside of a loop") }
      return name == "break" ? .breakLoop : .continueLoop
    case "generation", "endgeneration":
      // Hugging Face's mark around what the assistant said; it writes nothing.
      try tokens.expectEnd()
      return nil
    default: throw tokens.error("block \"\(name)\" is not supported here")
    }
  }

  private mutating func branch(
    _ tokens: inout JinjaExpressionParser, _ line: Int
  ) throws(ChatTemplateError) -> JinjaStatement.Kind {
    var branches: [(condition: JinjaExpression, body: [JinjaStatement])] = []
    var condition = try tokens.expression()
    try tokens.expectEnd()
    while true {
      var (statements, closing) = try body(
        until: ["elif", "else", "endif"], opener: "if", line: line)
      branches.append((condition, statements))
      switch closing.blockName {
      case "elif":
        condition = try closing.expression()
        try closing.expectEnd()
      case "else":
        try closing.expectEnd()
        let (otherwise, end) = try body(until: ["endif"], opener: "else", line: line)
        try end.expectEnd()
        return .branch(branches, otherwise: otherwise)
      default:
        try closing.expectEnd()
        return .branch(branches, otherwise: [])
      }
    }
  }

  private mutating func loop(
    _ tokens: inout JinjaExpressionParser, _ line: Int
  ) throws(ChatTemplateError) -> JinjaStatement.Kind {
    let targets = try tokens.nameList()
    try tokens.expect(name: "in")
    // Not a whole expression: `if` after it is the loop's filter.
    let sequence = try tokens.tuple(conditional: false)
    var condition: JinjaExpression?
    if tokens.accept(name: "if") { condition = try tokens.expression() }
    try tokens.expectEnd()
    loops += 1
    let (statements, closing) = try body(until: ["else", "endfor"], opener: "for", line: line)
    loops -= 1
    try closing.expectEnd()
    var otherwise: [JinjaStatement] = []
    if closing.blockName == "else" {
      let (statements, end) = try body(until: ["endfor"], opener: "else", line: line)
      try end.expectEnd()
      otherwise = statements
    }
    return .loop(
      JinjaLoopSyntax(
        targets: targets, sequence: sequence, condition: condition, body: statements,
        otherwise: otherwise))
  }

  private mutating func set(
    _ tokens: inout JinjaExpressionParser, _ line: Int
  ) throws(ChatTemplateError) -> JinjaStatement.Kind {
    let targets = try tokens.targets()
    if tokens.accept("=") {
      let value = try tokens.tuple()
      try tokens.expectEnd()
      return .set(targets, value)
    }
    try tokens.expectEnd()
    guard targets.count == 1, case .name(let name)? = targets.first else {
      throw tokens.error("a set block writes to one name")
    }
    let (statements, closing) = try body(until: ["endset"], opener: "set", line: line)
    try closing.expectEnd()
    return .setBlock(name, statements)
  }

  private mutating func macro(
    _ tokens: inout JinjaExpressionParser, _ line: Int
  ) throws(ChatTemplateError) -> JinjaStatement.Kind {
    let name = try tokens.name()
    let parameters = try tokens.parameters()
    try tokens.expectEnd()
    let outerLoops = loops
    loops = 0
    let (statements, closing) = try body(until: ["endmacro"], opener: "macro", line: line)
    loops = outerLoops
    if !closing.isAtEnd { _ = try closing.singleName() }
    return .macro(JinjaMacroSyntax(name: name, parameters: parameters, body: statements))
  }
}
