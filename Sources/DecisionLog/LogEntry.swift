import GRDB

/// One thing that waits to be written.
enum LogEntry: Sendable {
  case decision(DecisionRecord)
  case completion(DecisionCompletion)
  case feedback(FeedbackRecord)
  case outcome(OutcomeRecord)
  case statistics(ExpertStatisticsRecord)

  /// Roughly what it holds in memory, for the queue's bound.
  var byteCount: Int {
    switch self {
    case .decision(let record):
      300 + (record.promptText?.utf8.count ?? 0) + record.expertsJSON.utf8.count
        + record.flagsJSON.utf8.count + record.constraintsJSON.utf8.count
    case .completion(let completion): 200 + (completion.error?.utf8.count ?? 0)
    case .feedback(let record):
      100 + (record.comment?.utf8.count ?? 0) + (record.embedding?.bytes.count ?? 0)
    case .outcome, .statistics: 300
    }
  }

  func write(to db: Database) throws {
    switch self {
    case .decision(let record): try record.insert(db)
    case .feedback(let record): try record.insert(db)
    case .outcome(let record): try record.insert(db)
    case .statistics(let record): try record.insert(db)
    case .completion(let completion):
      let statement = try db.cachedStatement(
        sql: """
          UPDATE decisions SET status = ?, prompt_tokens = coalesce(?, prompt_tokens),
            completion_tokens = ?, first_token_ms = ?, total_ms = ?, finish_reason = ?,
            error = ?, output_characters = ?, cost_usd = ?
          WHERE id = ?
          """)
      try statement.execute(arguments: [
        completion.status.rawValue, completion.promptTokens, completion.completionTokens,
        completion.firstTokenMilliseconds, completion.totalMilliseconds, completion.finishReason,
        completion.error, completion.outputCharacters, completion.costUSD, completion.id,
      ])
      if db.changesCount == 0 {
        throw DecisionLogError.invalidRecord(
          field: "decision", value: completion.id, expected: "one that was logged")
      }
    }
  }
}
