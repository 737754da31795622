/// Renders a template's statements, within limits on steps, depth and output, so that a hostile
/// template costs a bounded amount of time and memory.
struct JinjaInterpreter {
  enum Flow { case next, breakLoop, continueLoop }

  var output: [UInt8] = []
  /// Innermost scope last. The first one holds the template's inputs.
  var scopes: [[String: JinjaValue]]
  var line = 1
  var loopDepth = 0
  /// Seconds since 1970, for `strftime_now`.
  let nowSeconds: Int
  private var steps = 0
  private var charges = 0
  private var depth = 0
  private let deadline: ContinuousClock.Instant
  private let maximumSteps: Int

  /// Steps allowed, beyond those in proportion to the messages. A step is a node evaluated or
  /// 64 bytes handled.
  static let baseSteps = 1_000_000
  static let maximumDepth = 200
  /// Longest output and longest string that a template may make beyond its inputs' size.
  static let baseBytes = 16 << 20
  static let maximumListCount = 1 << 20
  /// A second bound, for work that steps count too low. Rendering takes milliseconds.
  static let maximumDuration = Duration.seconds(10)

  private let maximumBytes: Int

  init(inputs: [String: JinjaValue], inputBytes: Int, nowSeconds: Int) {
    scopes = [inputs]
    deadline = .now + Self.maximumDuration
    self.nowSeconds = nowSeconds
    maximumSteps = Self.baseSteps + min(inputBytes, 1 << 30) * 4
    maximumBytes = Self.baseBytes + min(inputBytes, 1 << 30) * 4
  }

  // MARK: - Limits

  func error(_ message: String) -> ChatTemplateError {
    ChatTemplateError(kind: .evaluation, message: message, line: line)
  }

  func limit(_ message: String) -> ChatTemplateError {
    ChatTemplateError(kind: .limit, message: message, line: line)
  }

  /// Accounts for one step and for the bytes it handles.
  mutating func charge(bytes: Int = 0) throws(ChatTemplateError) {
    steps += 1 + bytes / 64
    guard steps <= maximumSteps else { throw limit("the template takes too many steps") }
    charges += 1
    // Looking at the clock costs as much as a step or two.
    if charges.isMultiple(of: 64), ContinuousClock.now > deadline {
      throw limit("the template takes too long")
    }
  }

  mutating func enter() throws(ChatTemplateError) {
    depth += 1
    guard depth <= Self.maximumDepth else {
      throw limit("the template nests deeper than \(Self.maximumDepth)")
    }
  }

  mutating func leave() { depth -= 1 }

  /// A string that a template made, if it is not too long.
  mutating func string(_ text: String) throws(ChatTemplateError) -> JinjaValue {
    try charge(bytes: text.utf8.count)
    try checkLength(text.utf8.count)
    return .string(text)
  }

  /// Refuses a size before the memory for it is taken.
  func checkLength(_ bytes: Int) throws(ChatTemplateError) {
    guard bytes <= maximumBytes else {
      throw limit("the template makes a text of more than \(maximumBytes) bytes")
    }
  }

  mutating func list(_ items: [JinjaValue]) throws(ChatTemplateError) -> JinjaValue {
    try charge(bytes: items.count * 16)
    guard items.count <= Self.maximumListCount else { throw limit("a list is too long") }
    let list = JinjaList(items)
    guard list.nesting <= JinjaValue.maximumNesting else { throw limit("lists nest too deep") }
    return .list(list)
  }

  mutating func dictionary(
    _ pairs: [(key: String, value: JinjaValue)]
  ) throws(ChatTemplateError) -> JinjaValue {
    try charge(bytes: pairs.count * 64)
    let dictionary = JinjaDictionary(pairs)
    guard dictionary.nesting <= JinjaValue.maximumNesting else {
      throw limit("dictionaries nest too deep")
    }
    return .dictionary(dictionary)
  }

  mutating func write(_ text: String) throws(ChatTemplateError) {
    try charge(bytes: text.utf8.count)
    try checkLength(output.count + text.utf8.count)
    output.append(contentsOf: text.utf8)
  }

  // MARK: - Statements

  func lookUp(_ name: String) -> JinjaValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return JinjaFunctions.names.contains(name) ? .function(name) : .undefined(name)
  }

  mutating func run(_ statements: [JinjaStatement]) throws(ChatTemplateError) -> Flow {
    try enter()
    defer { leave() }
    for statement in statements {
      try charge()
      if statement.line > 0 { line = statement.line }
      let flow = try run(statement)
      if flow != .next { return flow }
    }
    return .next
  }

  private mutating func run(_ statement: JinjaStatement) throws(ChatTemplateError) -> Flow {
    switch statement.kind {
    case .text(let text): try write(text)
    case .output(let expression): try write(try text(of: try evaluate(expression)))
    case .set(let targets, let expression):
      let value = try evaluate(expression)
      if targets.count == 1 {
        try assign(targets[0], value)
      } else {
        let items = try iterate(value)
        guard items.count == targets.count else {
          throw error("\(items.count) values for \(targets.count) names")
        }
        for (target, item) in zip(targets, items) { try assign(target, item) }
      }
    case .setBlock(let name, let body):
      let text = try capture(body)
      try assign(.name(name), try string(text))
    case .filterBlock(let filters, let body):
      let text = try string(try capture(body))
      scopes.append([JinjaStatement.captured: text])
      defer { scopes.removeLast() }
      try write(try self.text(of: try evaluate(filters)))
    case .branch(let branches, let otherwise):
      for branch in branches where try evaluate(branch.condition).isTrue {
        return try run(branch.body)
      }
      return try run(otherwise)
    case .loop(let loop): try run(loop)
    case .macro(let macro): scopes[scopes.count - 1][macro.name] = .macro(macro)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .next
  }

  private mutating func assign(
    _ target: JinjaTarget, _ value: JinjaValue
  ) throws(ChatTemplateError) {
    switch target {
    case .name(let name): scopes[scopes.count - 1][name] = value
    case .attribute(let name, let attribute):
      guard case .namespace(let namespace) = lookUp(name) else {
        throw error("\(name) is no namespace, so its attributes cannot be set")
      }
      // Keeps a namespace from holding itself.
      guard value.nesting < JinjaValue.maximumNesting else {
        throw limit("values nest too deep")
      }
      namespace.attributes[attribute] = value
    }
  }

  private mutating func run(_ loop: JinjaLoopSyntax) throws(ChatTemplateError) {
    var items = try iterate(try evaluate(loop.sequence))
    scopes.append([:])
    loopDepth += 1
    defer {
      scopes.removeLast()
      loopDepth -= 1
    }
    if let condition = loop.condition {
      var kept: [JinjaValue] = []
      for item in items {
        try bind(loop.targets, item)
        if try evaluate(condition).isTrue { kept.append(item) }
      }
      items = kept
    }
    // As Jinja has it, `else` runs unless some round reached the end of the body.
    var hasCompletedRound = false
    let state = JinjaLoopState(items: items, depth: loopDepth)
    for (index, item) in items.enumerated() {
      try charge()
      state.index = index
      // What one round sets is gone in the next.
      scopes[scopes.count - 1] = ["loop": .loop(state)]
      try bind(loop.targets, item)
      let flow = try run(loop.body)
      if flow == .breakLoop { break }
      if flow == .next { hasCompletedRound = true }
    }
    if !hasCompletedRound {
      scopes[scopes.count - 1] = [:]
      _ = try run(loop.otherwise)
    }
  }

  private mutating func bind(
    _ targets: [String], _ item: JinjaValue
  ) throws(ChatTemplateError) {
    if targets.count == 1 {
      scopes[scopes.count - 1][targets[0]] = item
      return
    }
    let parts = try iterate(item)
    guard parts.count == targets.count else {
      throw error("\(parts.count) values for \(targets.count) names")
    }
    for (target, part) in zip(targets, parts) { scopes[scopes.count - 1][target] = part }
  }

  /// The items that a loop over the value sees.
  mutating func iterate(_ value: JinjaValue) throws(ChatTemplateError) -> [JinjaValue] {
    switch value {
    case .undefined: return []
    case .list(let list):
      try charge(bytes: list.items.count * 16)
      return list.items
    case .dictionary(let dictionary):
      try charge(bytes: dictionary.keys.count * 16)
      return dictionary.keys.map { .string($0) }
    case .string(let text):
      try charge(bytes: text.utf8.count * 16)
      guard text.utf8.count <= 4 * Self.maximumListCount else { throw limit("a list is too long") }
      return text.unicodeScalars.map { .string(String(Character($0))) }
    case .none, .bool, .int, .float, .namespace, .loop, .macro, .function:
      throw error("cannot iterate over \(value.typeName)")
    }
  }

  /// What the statements write, instead of writing it.
  private mutating func capture(
    _ statements: [JinjaStatement]
  ) throws(ChatTemplateError) -> String {
    let outer = output
    output = []
    defer { output = outer }
    scopes.append([:])
    defer { scopes.removeLast() }
    _ = try run(statements)
    return String(decoding: output, as: UTF8.self)
  }

  mutating func call(
    _ macro: JinjaMacroSyntax, _ positional: [JinjaValue],
    _ named: [(name: String, value: JinjaValue)]
  ) throws(ChatTemplateError) -> JinjaValue {
    try enter()
    defer { leave() }
    guard positional.count <= macro.parameters.count else {
      throw error("macro \(macro.name) takes \(macro.parameters.count) arguments")
    }
    var scope: [String: JinjaValue] = [:]
    for (index, parameter) in macro.parameters.enumerated() {
      if index < positional.count {
        scope[parameter.name] = positional[index]
      } else if let argument = named.last(where: { $0.name == parameter.name }) {
        scope[parameter.name] = argument.value
      } else if let standard = parameter.standard {
        scope[parameter.name] = try evaluate(standard)
      } else {
        scope[parameter.name] = .undefined(parameter.name)
      }
    }
    // A macro sees the template's own names and its arguments, not its caller's loops.
    let outer = scopes
    scopes = [outer[0], scope]
    defer { scopes = outer }
    return try string(try capture(macro.body))
  }
}
