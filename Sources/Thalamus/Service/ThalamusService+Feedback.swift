import DecisionLog
import Foundation
import Routing

/// What became of an opinion.
package struct FeedbackReceipt: Sendable {
  package let decision: String
  package let expert: String
  package let score: Double
  /// Why it is logged and decisions don't follow it; nil where they do.
  package let obstacle: String?
}

extension ThalamusService {
  /// Takes what a caller thinks of a decision's answer: logs it, and lets later decisions on prompts like that one
  /// follow it (``FeedbackMemory``). A later opinion on the same decision takes the earlier one's place.
  ///
  /// - Parameter score: -1 (bad) to 1 (good).
  /// - Throws: ``ServiceError/unknownDecision(id:)``, ``ServiceError/noLog``, or
  ///   ``ServiceError/notLogged(problem:)`` where the log takes nothing now: then nothing was learned.
  package func judge(
    decisionID: String, score: Double, comment: String?
  ) async throws -> FeedbackReceipt {
    let decision = try await decision(id: decisionID)
    var obstacle: String?
    var embedding: [Float]?
    if let feedback {
      do {
        (embedding, obstacle) = try await self.embedding(
          of: decision.promptText, sha256: decision.promptSHA256, bytes: decision.promptBytes,
          feedback)
      } catch {
        // What was said is kept all the same.
        obstacle = "\(error)"
      }
    } else {
      obstacle = "router.feedback_weight is 0, or no router is trained"
    }
    guard let log else { throw ServiceError.noLog }
    do {
      try log.append(
        FeedbackRecord(
          decisionID: decision.id, timeMilliseconds: Self.milliseconds(Date()), score: score,
          comment: comment, embedding: embedding.map { HalfPrecisionVector($0) },
          encoder: embedding == nil ? nil : feedback?.encoder))
    } catch {
      throw ServiceError.notLogged(problem: error.description)
    }
    if let embedding {
      try feedback?.remember(
        .init(
          decision: decision.id, expert: decision.expert, score: score, embedding: embedding))
    }
    metrics.note(score: score, expert: decision.expert)
    return FeedbackReceipt(
      decision: decision.id, expert: decision.expert, score: score, obstacle: obstacle)
  }

  /// All that was said of one decision, in order.
  package func feedback(onDecision id: String) async throws -> [FeedbackRecord] {
    try await reading { try await $0.feedback(decisionID: id) }
  }

  /// What the logged opinions say of each expert; empty where there are none, or no log.
  package func feedbackTallies() async -> [String: FeedbackTally] {
    let rows = (try? await log?.feedbackTallies()) ?? []
    return Dictionary(rows.map { ($0.expert, $0) }) { $1 }
  }

  /// What callers think of the experts' answers to prompts like this one.
  ///
  /// - Parameters:
  ///   - embedding: The prompt's, after `depth` layers.
  func opinions(
    on prompt: PreparedPrompt, embedding: [Float], depth: Int
  ) async throws -> [String: FeedbackOpinion] {
    guard let feedback, !feedback.isEmpty else { return [:] }
    // A request may ask for a strategy that looks at prompts through more of the encoder.
    let comparable =
      depth == feedback.depth
      ? embedding : try await self.embedding(of: prompt, depth: feedback.depth)
    return try feedback.opinions(on: comparable)
  }

  /// Remembers what was said before the server started. Prompts whose embeddings come from another encoder are
  /// embedded anew; that goes on after this returns.
  func recallFeedback() async {
    guard let feedback, let log else { return }
    let judged: [JudgedDecision]
    do {
      judged = try await log.judgedDecisions(
        limit: feedback.capacity, embeddedBy: feedback.encoder)
    } catch {
      logger.error("\(error): feedback from before is not followed")
      return
    }
    var others: [JudgedDecision] = []
    for decision in judged {
      guard decision.encoder == feedback.encoder, let embedding = decision.embedding,
        (try? feedback.remember(
          .init(decision, embedding: embedding.values), isRecalled: true)) != nil
      else {
        others.append(decision)
        continue
      }
    }
    guard !others.isEmpty else { return }
    let waiting = others
    recalling.withLock { task in
      task = Task { await self.recall(waiting, feedback, log) }
    }
  }

  private func recall(
    _ decisions: [JudgedDecision], _ feedback: FeedbackStore, _ log: DecisionLog
  ) async {
    var count = 0
    for decision in decisions {
      guard !Task.isCancelled else { return }
      do {
        let embedding = try await embedding(
          of: decision.promptText, sha256: decision.promptSHA256, bytes: decision.promptBytes,
          feedback
        ).vector
        guard let embedding else { continue }
        try await log.update(
          embedding: HalfPrecisionVector(embedding), encoder: feedback.encoder,
          ofFeedbackOn: decision.decisionID)
        try feedback.remember(.init(decision, embedding: embedding), isRecalled: true)
        count += 1
      } catch {
        logger.warning("feedback on \(decision.decisionID): \(error)")
      }
    }
    if count > 0 { logger.info("feedback on \(count) prompts was read again for this encoder") }
  }

  /// The embedding of a logged prompt, or why there is none.
  private func embedding(
    of text: String?, sha256: String?, bytes: Int, _ feedback: FeedbackStore
  ) async throws -> (vector: [Float]?, obstacle: String?) {
    guard let text, let sha256 else {
      return (nil, "the log keeps no prompts (log.prompts)")
    }
    guard text.utf8.count >= bytes else {
      return (nil, "the log keeps no more than the beginning of so long a prompt")
    }
    guard let prompt = PreparedPrompt.logged(text, sha256: sha256) else {
      return (nil, "the log keeps chats as text, and this one's messages can't be told apart there")
    }
    return (try await embedding(of: prompt, depth: feedback.depth), nil)
  }
}

extension FeedbackMemory.Judgement {
  fileprivate init(_ decision: JudgedDecision, embedding: [Float]) {
    self.init(
      decision: decision.decisionID, expert: decision.expert, score: decision.score,
      embedding: embedding)
  }
}
