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
}

/// Why a format can't be kept to.
package enum GrammarError: Error, Equatable, Sendable {
  /// The format has more states than may be held.
  case tooLarge(limit: Int)
  /// So many ways to read a text are open that following them all would hold up everybody.
  case tooAmbiguous(limit: Int)
  /// The model has no token with which a text that was begun could go on.
  case noTokenFits
}

extension GrammarError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .tooLarge(let limit): "the format has more than \(limit) states"
    case .tooAmbiguous(let limit):
      "the format leaves too many ways open to read what was written (limit \(limit))"
    case .noTokenFits: "no token of the model continues the text as its format asks"
    }
  }
}
