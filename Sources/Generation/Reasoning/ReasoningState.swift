/// One running answer's thinking.
struct ReasoningState {
  /// What a token led to.
  struct Outcome {
    var pieces: [ReasoningReader.Piece]
    /// Whether the token, and those before it that were not sent, are no part of the answer.
    var isApart: Bool
    /// Whether the answer begins with this token.
    var beginsAnswer: Bool
  }

  private let plan: ReasoningPlan
  private var reader: ReasoningReader
  /// Tokens of which it is not known yet whether they are thinking.
  private var undecided = 0
  /// What is still to be put in.
  private var forced: [Int32] = []
  private var hasForced = false
  /// Tokens of thinking, its marks included.
  private(set) var tokenCount = 0

  init(_ plan: ReasoningPlan) {
    self.plan = plan
    reader = plan.reader
    force()
  }

  var isOver: Bool { reader.isOver }

  /// What the next token is bound by, where the answer has a format.
  var scope: Sampler.Scope {
    switch reader.phase {
    case .answer: reader.isPreamble ? .thinking(marks: plan.marks) : .answer
    case .undecided: plan.opening.map { .opening($0) } ?? .answer
    case .reasoning, .between:
      reader.isCalling ? .call : .thinking(marks: plan.marks)
    }
  }

  /// The token that comes next whatever the model would choose; nil where it chooses.
  mutating func nextForced() -> Int32? { forced.isEmpty ? nil : forced.removeFirst() }

  mutating func take(_ token: Int32, _ text: inout any TokenTextDecoder) -> Outcome {
    let before = reader.phase
    var pieces: [ReasoningReader.Piece]
    if let mark = plan.marks[token] {
      pieces = reader.take(text.finish()) + reader.take(mark: mark)
    } else {
      pieces = reader.take(text.append(token))
    }
    let wasApart = before == .reasoning || before == .between
    switch reader.phase {
    case .undecided: undecided += 1
    case .between where before == .reasoning: tokenCount += 1
    case .between: undecided += 1
    case .reasoning:
      tokenCount += undecided + 1
      undecided = 0
    case .answer:
      if before == .reasoning { tokenCount += 1 }
      undecided = 0
    }
    force()
    let isAnswer = reader.phase == .answer
    let isBetween = reader.skipsSpace || (!isAnswer && reader.phase != .undecided)
    return Outcome(
      pieces: pieces, isApart: wasApart || isBetween,
      beginsAnswer: isAnswer && wasApart)
  }

  mutating func finish(_ rest: String) -> [ReasoningReader.Piece] {
    reader.take(rest) + reader.finish()
  }

  /// Ends thinking that has gone on for long enough.
  private mutating func force() {
    guard let budget = plan.budgetTokens, reader.phase == .reasoning, tokenCount >= budget,
      !hasForced
    else { return }
    (forced, hasForced) = (plan.closing, true)
  }
}
