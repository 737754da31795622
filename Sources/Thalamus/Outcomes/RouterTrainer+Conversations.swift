import Foundation
import Routing

extension RouterTrainer {
  /// Messages that the words of a prompt come in.
  private static let messagesOfPrompt = 3

  /// Judges what the goal `continuity` does to conversations made of held-out prompts.
  ///
  /// The words of a prompt come in three messages, and what an expert loses on the whole prompt stands for what it loses at
  /// each. Where the subject changes, one prompt is the first message and another one, of another domain, the second.
  package func evaluateConversations(
    _ router: any LossPredictor, on rows: [PromptRow], weights: [Double], seed: UInt64 = 1
  ) async throws -> ConversationEvaluation {
    let steady = rows.compactMap(Self.turns)
    var generator = SeededGenerator(seed: seed)
    let changing = rows.compactMap { row -> [Turn]? in
      let others = rows.filter { $0.domain != row.domain }
      guard !others.isEmpty else { return nil }
      let before = others[generator.next(below: others.count)]
      return [
        Turn(row: before, questions: [before.prompt]),
        Turn(row: row, questions: [row.prompt, before.prompt]),
      ]
    }
    return try ConversationEvaluation.evaluate(
      steady: try await evaluated(steady, router), changing: try await evaluated(changing, router),
      experts: router.experts, weights: weights)
  }

  /// What a router sees at one turn, the latest question first, and whose losses stand for the experts' there.
  private struct Turn {
    let row: PromptRow
    let questions: [String]
  }

  /// A prompt as a conversation that has more of it at each turn; nil where it has too few words.
  private static func turns(of row: PromptRow) -> [Turn]? {
    let words = row.prompt.split(whereSeparator: \.isWhitespace)
    let each = words.count / messagesOfPrompt
    guard each > 0 else { return nil }
    let messages = (0..<messagesOfPrompt).map { index in
      let end = index == messagesOfPrompt - 1 ? words.count : (index + 1) * each
      return words[index * each..<end].joined(separator: " ")
    }
    return messages.indices.map { Turn(row: row, questions: messages[...$0].reversed()) }
  }

  private func evaluated(
    _ conversations: [[Turn]], _ router: any LossPredictor
  ) async throws -> [ConversationEvaluation.Conversation] {
    var evaluated: [ConversationEvaluation.Conversation] = []
    for conversation in conversations {
      var turns: ConversationEvaluation.Conversation = []
      for turn in conversation {
        let weights = QuestionWeights.of(turn.questions)
        let vectors = try await encoder.embed(
          Array(turn.questions.prefix(weights.count)), depth: depth
        ).vectors
        let example = TrainingExample(
          promptHash: turn.row.hash, domain: turn.row.domain,
          input: RouterInput(
            embedding: QuestionWeights.mix(vectors, weights),
            text: turn.questions.joined(separator: "\n")),
          losses: turn.row.losses ?? [:])
        turns.append(try EvaluatedPrompt(example, by: router))
      }
      evaluated.append(turns)
    }
    return evaluated
  }
}
