import GRDB

extension DecisionLog {
  /// Writes outcomes, and the prompts they were measured on, in one transaction; returns when they
  /// are on disk. For `outcomes collect`, which must know how far it is.
  package func write(
    outcomes: [OutcomeRecord], prompts: [OutcomePrompt] = []
  ) async throws(DecisionLogError) {
    for outcome in outcomes
    where !outcome.lossBitsPerByte.isFinite || outcome.lossBitsPerByte < 0 {
      throw .invalidRecord(
        field: "loss_bits_per_byte", value: "\(outcome.lossBitsPerByte)",
        expected: "a finite number, 0 or more")
    }
    try await write { db in
      for prompt in prompts { try prompt.insert(db) }
      for outcome in outcomes { try outcome.insert(db) }
    }
  }

  /// What has been measured already, so that collecting can go on where it stopped.
  /// - Parameter withActiveExperts: only outcomes that say how many experts were active.
  package func outcomeKeys(
    withActiveExperts: Bool = false
  ) async throws(DecisionLogError) -> Set<OutcomeKey> {
    try await read { db in
      let rows = try Row.fetchCursor(
        db,
        sql: "SELECT prompt_sha256, expert, revision FROM outcomes"
          + (withActiveExperts ? " WHERE active_experts IS NOT NULL" : ""))
      var keys: Set<OutcomeKey> = []
      while let row = try rows.next() {
        keys.insert(OutcomeKey(promptSHA256: row[0], expert: row[1], revision: row[2]))
      }
      return keys
    }
  }

  /// All outcomes of the given revisions (expert to revision), or of every revision where nil.
  package func outcomes(
    revisions: [String: String]? = nil
  ) async throws(DecisionLogError) -> [OutcomeRecord] {
    let rows = try await read { db in
      try OutcomeRecord.fetchAll(
        db, sql: "SELECT * FROM outcomes ORDER BY prompt_sha256, expert, time_ms")
    }
    guard let revisions else { return rows }
    return rows.filter { revisions[$0.expert] == $0.revision }
  }

  /// The stored texts of prompts, by hash.
  package func outcomePrompts() async throws(DecisionLogError) -> [OutcomePrompt] {
    try await read { db in
      try OutcomePrompt.fetchAll(db, sql: "SELECT * FROM outcome_prompts ORDER BY prompt_sha256")
    }
  }
}
