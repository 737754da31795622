import GRDB

/// A prompt that was decided on, once or often.
package struct LoggedPrompt: Equatable, Sendable {
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
      let local = try String.fetchSet(
        db,
        sql: """
          SELECT prompt_sha256 FROM decisions, json_each(
            CASE WHEN json_valid(constraints_json) THEN constraints_json ELSE '[]' END) AS each
          WHERE prompt_sha256 IS NOT NULL
            AND json_extract(each.value, '$.constraint') = 'local_only'
            AND json_extract(each.value, '$.value') = 'true'
          """)
      // Of the row with the maximum SQLite takes the other columns too.
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT prompt_text, prompt_sha256, prompt_bytes, max(id) AS latest FROM decisions
          WHERE prompt_text IS NOT NULL AND prompt_sha256 IS NOT NULL AND time_ms >= ?
          GROUP BY prompt_sha256 ORDER BY latest DESC LIMIT ?
          """, arguments: [since, max(0, limit)])
      return rows.map { row in
        let hash: String = row["prompt_sha256"]
        return LoggedPrompt(
          promptText: row["prompt_text"], promptSHA256: hash, promptBytes: row["prompt_bytes"],
          isLocalOnly: local.contains(hash))
      }
    }
  }
}
