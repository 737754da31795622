/// Makes a ``Grammar``, piece by piece: each method adds the texts of something behind a state and gives the
/// state in which they end.
///
/// ```swift
/// var builder = GrammarBuilder()
/// let list = try builder.rule("list") { builder, start in
///   let open = try builder.literal("[", from: start)
///   let inside = try builder.optional(from: open) { try $0.bytes(0x30...0x39, from: $1) }
///   return try builder.literal("]", from: inside)
/// }
/// let grammar = builder.finish(root: list)   // "[]", "[0]" to "[9]"
/// ```
struct GrammarBuilder {
  typealias State = Grammar.State
  typealias Piece = (inout GrammarBuilder, State) throws -> State

  /// A request's schema of a few kilobytes has some thousands.
  static let maximumStates = 100_000

  private var edges: [[Grammar.Edge]] = []
  private var isRuleEnd: [Bool] = []
  private var ruleStarts: [State] = []
  private var rules: [String: Grammar.Rule] = [:]

  var stateCount: Int { edges.count }

  mutating func newState() throws(GrammarError) -> State {
    guard edges.count < Self.maximumStates else { throw .tooLarge(limit: Self.maximumStates) }
    edges.append([])
    isRuleEnd.append(false)
    return State(edges.count - 1)
  }

  /// Leads from one state to another without a byte.
  mutating func jump(from state: State, to next: State) {
    edges[Int(state)].append(.jump(to: next))
  }

  /// Any byte of a range.
  mutating func bytes(_ range: ClosedRange<UInt8>, from state: State) throws -> State {
    let next = try newState()
    bytes(range, from: state, to: next)
    return next
  }

  /// The same, to a state that there is already.
  mutating func bytes(_ range: ClosedRange<UInt8>, from state: State, to next: State) {
    edges[Int(state)].append(.bytes(range, to: next))
  }

  /// Just this text.
  mutating func literal(_ text: some Sequence<UInt8>, from state: State) throws -> State {
    var state = state
    for byte in text { state = try bytes(byte...byte, from: state) }
    return state
  }

  mutating func literal(_ text: String, from state: State) throws -> State {
    try literal(text.utf8, from: state)
  }

  /// Any one of these texts: a tree, so that thousands are as many ways to go on only where they part.
  mutating func literals(_ texts: [[UInt8]], from state: State) throws -> State {
    struct Branch: Hashable {
      let state: State
      let byte: UInt8
    }
    let root = try newState()
    let end = try newState()
    jump(from: state, to: root)
    var branches: [Branch: State] = [:]
    for text in texts {
      var current = root
      for byte in text {
        let branch = Branch(state: current, byte: byte)
        let next = try branches[branch] ?? bytes(byte...byte, from: current)
        branches[branch] = next
        current = next
      }
      jump(from: current, to: end)
    }
    return end
  }

  /// A text of any one of the pieces.
  mutating func choice(from state: State, _ pieces: [Piece]) throws -> State {
    let end = try newState()
    for piece in pieces { jump(from: try piece(&self, state), to: end) }
    return end
  }

  /// A text of the piece, or nothing.
  mutating func optional(from state: State, _ piece: Piece) throws -> State {
    try repeated(0...1, from: state, piece)
  }

  /// So many texts of the piece, one behind the other.
  mutating func repeated(_ counts: ClosedRange<Int>, from state: State, _ piece: Piece) throws
    -> State
  {
    var state = state
    for _ in 0..<counts.lowerBound { state = try piece(&self, state) }
    guard counts.upperBound > counts.lowerBound else { return state }
    let end = try newState()
    jump(from: state, to: end)
    for _ in counts.lowerBound..<counts.upperBound {
      // Its own state, so that nothing that begins in this one is taken for a further repetition.
      let start = try newState()
      jump(from: state, to: start)
      state = try piece(&self, start)
      jump(from: state, to: end)
    }
    return end
  }

  /// At least so many texts of the piece, one behind the other.
  mutating func repeated(_ counts: PartialRangeFrom<Int>, from state: State, _ piece: Piece) throws
    -> State
  {
    let start = try repeated(counts.lowerBound...counts.lowerBound, from: state, piece)
    let loop = try newState()
    jump(from: start, to: loop)
    let inside = try newState()
    jump(from: loop, to: inside)
    jump(from: try piece(&self, inside), to: loop)
    let end = try newState()
    jump(from: loop, to: end)
    return end
  }

  // MARK: - Rules

  /// The rule of a name; made by `body` where there is none yet. The body may call the rule itself.
  mutating func rule(_ name: String, _ body: Piece) throws -> Grammar.Rule {
    let (rule, isNew) = try declare(name)
    if isNew { try define(rule, body) }
    return rule
  }

  /// The rule of a name, and whether it is new and has still to be defined.
  mutating func declare(_ name: String) throws -> (rule: Grammar.Rule, isNew: Bool) {
    if let rule = rules[name] { return (rule, false) }
    let rule = Grammar.Rule(ruleStarts.count)
    ruleStarts.append(try newState())
    rules[name] = rule
    return (rule, true)
  }

  /// A rule that nobody else calls by a name.
  mutating func anonymousRule(_ body: Piece) throws -> Grammar.Rule {
    let rule = Grammar.Rule(ruleStarts.count)
    ruleStarts.append(try newState())
    try define(rule, body)
    return rule
  }

  mutating func define(_ rule: Grammar.Rule, _ body: Piece) throws {
    let end = try body(&self, ruleStarts[Int(rule)])
    isRuleEnd[Int(end)] = true
  }

  /// A text of the rule.
  mutating func call(_ rule: Grammar.Rule, from state: State) throws -> State {
    let next = try newState()
    edges[Int(state)].append(.call(rule, then: next))
    return next
  }

  /// Takes over a whole grammar, whose root it gives as a rule.
  mutating func embed(_ grammar: Grammar) throws -> Grammar.Rule {
    guard edges.count + grammar.edges.count <= Self.maximumStates else {
      throw GrammarError.tooLarge(limit: Self.maximumStates)
    }
    let states = State(edges.count)
    let rules = Grammar.Rule(ruleStarts.count)
    edges += grammar.edges.map { edges in
      edges.map { edge in
        switch edge {
        case .bytes(let range, let next): .bytes(range, to: next + states)
        case .jump(let next): .jump(to: next + states)
        case .call(let rule, let next): .call(rule + rules, then: next + states)
        }
      }
    }
    isRuleEnd += grammar.isRuleEnd
    ruleStarts += grammar.ruleStarts.map { $0 + states }
    return grammar.root + rules
  }

  /// The grammar whose texts are those of a rule; nil where there is none.
  ///
  /// What can never come to an end is left out, so that no text is begun that could not be finished.
  func finish(root: Grammar.Rule) -> Grammar? {
    let needs = callsNeeded()
    func canEnd(_ state: State) -> Bool { needs[Int(state)] <= GrammarAutomaton.Limit.depth }
    func leads(_ edge: Grammar.Edge) -> Bool {
      switch edge {
      case .bytes(_, let next), .jump(let next): canEnd(next)
      case .call(let rule, let next): canEnd(ruleStarts[Int(rule)]) && canEnd(next)
      }
    }
    guard canEnd(ruleStarts[Int(root)]) else { return nil }
    return Grammar(
      edges: edges.map { $0.filter(leads) }, isRuleEnd: isRuleEnd, ruleStarts: ruleStarts,
      root: root, callsNeeded: needs)
  }

  /// The least number of calls within calls with which the end of its rule can be reached from a state; `Int32.max`
  /// where it can't be. By state.
  ///
  /// Of a way the call that needs most counts, and of all ways the best: Dijkstra's search from the rules' ends, with a
  /// maximum where distances have a sum.
  private func callsNeeded() -> [Int32] {
    var before: [[State]] = Array(repeating: [], count: edges.count)
    var callers: [[(from: State, then: State)]] = Array(repeating: [], count: ruleStarts.count)
    var calls: [[(from: State, rule: Grammar.Rule)]] = Array(repeating: [], count: edges.count)
    for (state, edges) in edges.enumerated() {
      for edge in edges {
        switch edge {
        case .bytes(_, let next), .jump(let next): before[Int(next)].append(State(state))
        case .call(let rule, let next):
          callers[Int(rule)].append((from: State(state), then: next))
          calls[Int(next)].append((from: State(state), rule: rule))
        }
      }
    }
    var rulesAt: [State: [Int]] = [:]
    for (rule, start) in ruleStarts.enumerated() { rulesAt[start, default: []].append(rule) }

    let never = Int32.max
    var needs = [Int32](repeating: never, count: edges.count)
    // States by what they need: none is found to need less than those that are done.
    var open: [[State]] = [isRuleEnd.indices.filter { isRuleEnd[$0] }.map(State.init)]
    var level = 0
    while level < open.count {
      func reach(_ state: State, _ need: Int32) {
        guard needs[Int(state)] == never else { return }
        while open.count <= Int(need) { open.append([]) }
        open[Int(need)].append(state)
      }
      while let state = open[level].popLast() {
        guard needs[Int(state)] == never else { continue }
        let need = Int32(level)
        needs[Int(state)] = need
        for earlier in before[Int(state)] { reach(earlier, need) }
        for call in calls[Int(state)] {
          let inside = needs[Int(ruleStarts[Int(call.rule)])]
          if inside != never { reach(call.from, max(need, inside + 1)) }
        }
        for rule in rulesAt[state] ?? [] {
          for caller in callers[rule] where needs[Int(caller.then)] != never {
            reach(caller.from, max(needs[Int(caller.then)], need + 1))
          }
        }
      }
      level += 1
    }
    return needs
  }
}
