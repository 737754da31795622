/// An expression of a template.
indirect enum JinjaExpression: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case name(String)
  case list([JinjaExpression])
  case dictionary([(key: JinjaExpression, value: JinjaExpression)])
  case attribute(JinjaExpression, String)
  case item(JinjaExpression, JinjaExpression)
  case slice(
    JinjaExpression, start: JinjaExpression?, stop: JinjaExpression?, step: JinjaExpression?)
  case call(JinjaExpression, JinjaArguments)
  case filter(JinjaExpression, String, JinjaArguments)
  case test(JinjaExpression, String, JinjaArguments)
  case negate(JinjaExpression)
  case not(JinjaExpression)
  case and(JinjaExpression, JinjaExpression)
  case or(JinjaExpression, JinjaExpression)
  case binary(String, JinjaExpression, JinjaExpression)
  case compare(JinjaExpression, [(operation: String, value: JinjaExpression)])
  case conditional(JinjaExpression, condition: JinjaExpression, otherwise: JinjaExpression?)
}

struct JinjaArguments: Sendable {
  var positional: [JinjaExpression] = []
  var named: [(name: String, value: JinjaExpression)] = []
}

/// What a `set` or a `for` writes to.
enum JinjaTarget: Sendable {
  case name(String)
  case attribute(String, String)
}

/// A statement of a template, with the line it stands on.
struct JinjaStatement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(JinjaExpression)
    case set([JinjaTarget], JinjaExpression)
    case setBlock(String, [JinjaStatement])
    /// What the statements write goes through filters, in whose expression it has ``captured`` as its name.
    case filterBlock(JinjaExpression, [JinjaStatement])
    case branch([(condition: JinjaExpression, body: [JinjaStatement])], otherwise: [JinjaStatement])
    case loop(JinjaLoopSyntax)
    case macro(JinjaMacroSyntax)
    case breakLoop
    case continueLoop
  }
  let kind: Kind
  let line: Int

  /// A name that no template can write.
  static let captured = "\0"
}

struct JinjaLoopSyntax: Sendable {
  let targets: [String]
  let sequence: JinjaExpression
  let condition: JinjaExpression?
  let body: [JinjaStatement]
  let otherwise: [JinjaStatement]
}

struct JinjaMacroSyntax: Sendable {
  let name: String
  let parameters: [(name: String, standard: JinjaExpression?)]
  let body: [JinjaStatement]
}
