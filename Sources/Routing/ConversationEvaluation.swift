/// What the goal `continuity` is worth and costs, on conversations whose experts' losses are known.
///
/// Two kinds are judged. In one the words of a prompt come in several messages, and a router that sees more of the same
/// text each time should keep to an expert; in the other the subject is another one from the second message on, and it
/// should let go.
package struct ConversationEvaluation: Codable, Equatable, Sendable {
  /// Conversations by their turns: what the router predicted at each, and what the experts really lose.
  package typealias Conversation = [EvaluatedPrompt]

  package struct Row: Codable, Equatable, Sendable {
    /// Of the goal, bits per byte.
    package var weight: Double
    /// Share of the turns behind the first, of one subject, that went to another expert than the turn before.
    package var switches: RouterEvaluation.Estimate
    /// Mean regret of all turns of one subject, bits per byte.
    package var regret: RouterEvaluation.Estimate
    /// Mean regret of the last turn where that has a new subject, bits per byte.
    package var regretAfterChange: RouterEvaluation.Estimate

    enum CodingKeys: String, CodingKey {
      case weight, switches, regret
      case regretAfterChange = "regret_after_change"
    }
  }

  package var conversations: Int
  package var rows: [Row]

  /// - Parameters:
  ///   - steady: Of one subject each, of two turns or more.
  ///   - changing: With a new subject in the last turn.
  ///   - resamples: Of the bootstrap over conversations that the intervals come from.
  package static func evaluate(
    steady: [Conversation], changing: [Conversation], experts: [String], weights: [Double],
    resamples: Int = 2000, seed: UInt64 = 1
  ) throws(RoutingError) -> ConversationEvaluation {
    func complete(_ conversations: [Conversation]) -> [Conversation] {
      conversations.filter { turns in
        turns.count > 1
          && turns.allSatisfy { turn in
            experts.allSatisfy { turn.losses[$0] != nil && turn.predicted[$0] != nil }
          }
      }
    }
    let steady = complete(steady)
    let changing = complete(changing)
    guard !experts.isEmpty, !steady.isEmpty, !changing.isEmpty else {
      throw .notEnoughData(field: "held-out conversations", needed: 1, found: 0)
    }
    let rows = weights.map { weight -> Row in
      var switches: [Double] = []
      var regrets: [Double] = []
      for turns in steady {
        let choices = choices(turns, experts, weight: weight)
        let changes = zip(choices, choices.dropFirst()).filter { $0 != $1 }
        switches.append(Double(changes.count) / Double(turns.count - 1))
        let sum = zip(turns, choices).reduce(0) { $0 + regret(of: $1.1, on: $1.0) }
        regrets.append(sum / Double(turns.count))
      }
      let after = changing.map { turns in
        regret(
          of: choices(turns, experts, weight: weight)[turns.count - 1], on: turns[turns.count - 1])
      }
      let estimates = RouterEvaluation.bootstrap(
        [switches, regrets], resamples: resamples, seed: seed)
      return Row(
        weight: weight, switches: estimates[0], regret: estimates[1],
        regretAfterChange: RouterEvaluation.bootstrap([after], resamples: resamples, seed: seed)[0])
    }
    return ConversationEvaluation(conversations: steady.count, rows: rows)
  }

  /// The expert of each turn: of the smallest predicted loss plus, for all but the last turn's, the weight.
  private static func choices(
    _ turns: Conversation, _ experts: [String], weight: Double
  ) -> [String] {
    var choices: [String] = []
    for turn in turns {
      let totals = experts.map { expert in
        (turn.predicted[expert] ?? .infinity)
          + (choices.isEmpty || choices.last == expert ? 0 : weight)
      }
      choices.append(experts[RouterEvaluation.chosenIndex(totals)])
    }
    return choices
  }

  private static func regret(of expert: String, on turn: EvaluatedPrompt) -> Double {
    (turn.losses[expert] ?? .infinity) - (turn.losses.values.min() ?? 0)
  }
}

extension ConversationEvaluation {
  /// A table, a weight a row.
  package var markdown: String {
    var lines = [
      "\(conversations) conversations of one subject, and as many that change it; regret in bits per byte; in brackets: "
        + "the middle 95 % of bootstrap resamples.", "",
      "| weight of continuity | turns that switch experts | mean regret | mean regret after a change of subject |",
      "|---|---|---|---|",
    ]
    for row in rows {
      lines.append(
        "| \(row.weight) | \(row.switches.percent) | \(row.regret.text) | \(row.regretAfterChange.text) |"
      )
    }
    return lines.joined(separator: "\n")
  }
}
