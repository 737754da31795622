import GRDB

/// The last that was said of a decision, with what is needed to learn from it.
package struct JudgedDecision: Equatable, Sendable, Codable, FetchableRecord {
  package var decisionID: String
  package var expert: String
  package var score: Double
  package var promptText: String?
  package var promptSHA256: String?
  package var promptBytes: Int
  package var embedding: HalfPrecisionVector?
  package var encoder: String?
}

/// What callers said of one expert's answers; of several opinions on an answer the last.
package struct FeedbackTally: Equatable, Sendable, Codable, FetchableRecord {
  package var expert: String
  package var answers: Int
  /// -1 (bad) to 1 (good).
  package var meanScore: Double
}

extension DecisionLog {
  /// All that was said of one decision, in order. Written or still waiting, it is found.
  package func feedback(
    decisionID: String
  ) async throws(DecisionLogError) -> [FeedbackRecord] {
    _ = await writeWaiting()
    return try await read { db in
      try FeedbackRecord.fetchAll(
        db, sql: "SELECT * FROM feedback WHERE decision_id = ? ORDER BY time_ms, rowid",
        arguments: [decisionID])
    }
  }

  /// The last that was said of each of the newest `limit` decisions that were judged, oldest first.
  ///
  /// - Parameter encoder: Whose embeddings make the prompts' texts needless; those are left out then.
  package func judgedDecisions(
    limit: Int, embeddedBy encoder: String? = nil
  ) async throws(DecisionLogError) -> [JudgedDecision] {
    try await read { db in
      try JudgedDecision.fetchAll(
        db,
        sql: """
          SELECT d.id AS decisionID, d.expert AS expert, f.score AS score,
            CASE WHEN f.encoder = ? THEN NULL ELSE d.prompt_text END AS promptText, d.prompt_sha256 AS promptSHA256,
            d.prompt_bytes AS promptBytes, f.embedding AS embedding, f.encoder AS encoder
          FROM (\(Self.lastOpinions) ORDER BY decision_id DESC LIMIT ?) AS last
          JOIN feedback AS f ON f.rowid = last.row JOIN decisions AS d ON d.id = f.decision_id
          ORDER BY d.id
          """,
        arguments: [encoder, max(0, limit)])
    }
  }

  /// Stores the embedding of a judged prompt anew, as another encoder gives it.
  package func update(
    embedding: HalfPrecisionVector, encoder: String, ofFeedbackOn decisionID: String
  ) async throws(DecisionLogError) {
    try await write { db in
      try db.execute(
        sql: "UPDATE feedback SET embedding = ?, encoder = ? WHERE decision_id = ?",
        arguments: [embedding, encoder, decisionID])
    }
  }

  /// What was said of each expert's answers, sorted by id.
  package func feedbackTallies() async throws(DecisionLogError) -> [FeedbackTally] {
    _ = await writeWaiting()
    return try await read { db in
      try FeedbackTally.fetchAll(
        db,
        sql: """
          SELECT d.expert AS expert, count(*) AS answers, avg(f.score) AS meanScore
          FROM (\(Self.lastOpinions)) AS last
          JOIN feedback AS f ON f.rowid = last.row JOIN decisions AS d ON d.id = f.decision_id
          GROUP BY d.expert ORDER BY d.expert
          """)
    }
  }

  private static let lastOpinions =
    "SELECT decision_id, max(rowid) AS row FROM feedback GROUP BY decision_id"
}
