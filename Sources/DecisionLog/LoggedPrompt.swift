import GRDB

/// A prompt that was decided on, once or often.
package struct LoggedPrompt: Equatable, Sendable, Codable, FetchableRecord {
  package var promptText: String
  package var promptSHA256: String
  package var promptBytes: Int
  /// Whether any of its decisions was held to experts on this machine.
  package var isLocalOnly: Bool
}

extension DecisionLog {
  /// The prompts of the newest decisions, each once, the latest first.
  ///
  /// - Parameter sinceMilliseconds: Milliseconds since 1970; nil for all that is logged.
  package func prompts(
    sinceMilliseconds: Int64? = nil, limit: Int
  ) async throws(DecisionLogError) -> [LoggedPrompt] {
    _ = await writeWaiting()
    let since = sinceMilliseconds ?? .min
    return try await read { db in
      // SQLite takes the other columns from the row that has the maximum.
      try LoggedPrompt.fetchAll(
        db,
        sql: """
          SELECT prompt_text AS promptText, prompt_sha256 AS promptSHA256,
            prompt_bytes AS promptBytes, max(id) AS latest,
            max(json_valid(constraints_json) AND EXISTS (
              SELECT 1 FROM json_each(constraints_json) AS each
              WHERE json_extract(each.value, '$.constraint') = 'local_only'
                AND json_extract(each.value, '$.value') = 'true')) AS isLocalOnly
          FROM decisions
          WHERE prompt_text IS NOT NULL AND prompt_sha256 IS NOT NULL AND time_ms >= ?
          GROUP BY prompt_sha256 ORDER BY latest DESC LIMIT ?
          """,
        arguments: [since, max(0, limit)])
    }
  }
}
