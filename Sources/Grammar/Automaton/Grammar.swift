/// A language over bytes: a recursive transition network, which is what a context-free grammar becomes when
/// its rules are drawn as automata that call each other.
///
/// ``GrammarBuilder`` makes one; ``GrammarAutomaton`` reads with it.
package struct Grammar: Sendable {
  /// A place in a rule.
  typealias State = Int32
  typealias Rule = Int32

  enum Edge: Sendable {
    /// One byte of the range leads on.
    case bytes(ClosedRange<UInt8>, to: State)
    /// Leads on without a byte.
    case jump(to: State)
    /// A text of the rule leads on.
    case call(Rule, then: State)
  }

  /// By state.
  let edges: [[Edge]]
  /// Whether a rule's text may end here. By state.
  let isRuleEnd: [Bool]
  /// Where the rules begin. By rule.
  let ruleStarts: [State]
  /// The rule that whole texts belong to.
  let root: Rule
  /// Calls within calls without which the end of its rule can't be reached from a state. By state.
  let callsNeeded: [Int32]
}
