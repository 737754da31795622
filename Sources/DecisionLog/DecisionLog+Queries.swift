import GRDB

/// Which decisions to list.
package struct DecisionFilter: Equatable, Sendable {
  /// Milliseconds since 1970, included.
  package var sinceMilliseconds: Int64?
  package var expert: String?
  package var status: DecisionRecord.Status?
  /// Of the key of this name only.
  package var keyName: String?
  /// 1...``maximumLimit``.
  package var limit: Int
  /// The `nextCursor` of the page before.
  package var cursor: String?

  package static let maximumLimit = 1000

  package init(
    sinceMilliseconds: Int64? = nil, expert: String? = nil, status: DecisionRecord.Status? = nil,
    keyName: String? = nil, limit: Int = 50, cursor: String? = nil
  ) {
    self.sinceMilliseconds = sinceMilliseconds
    self.expert = expert
    self.status = status
    self.keyName = keyName
    self.limit = min(max(1, limit), Self.maximumLimit)
    self.cursor = cursor
  }
}

/// A page of decisions, newest first.
package struct DecisionPage: Equatable, Sendable {
  package var decisions: [DecisionRecord]
  /// Asks for the page after; nil at the end.
  package var nextCursor: String?
}

/// What the logged decisions say of one expert, for the Pareto picture without a prompt.
package struct ExpertAggregate: Equatable, Sendable, Codable, FetchableRecord {
  package var expert: String
  /// Decisions in which it was considered and had a predicted loss.
  package var considered: Int
  package var chosen: Int
  package var meanPredictedLoss: Double?
  /// Of the goal that was asked for, in its own unit and scaled.
  package var meanRaw: Double?
  package var meanCost: Double?
}

extension DecisionLog {
  /// One decision. Written or still waiting, it is found.
  package func decision(id: String) async throws(DecisionLogError) -> DecisionRecord? {
    let fetch: @Sendable (Database) throws -> DecisionRecord? = { db in
      try DecisionRecord.fetchOne(db, sql: "SELECT * FROM decisions WHERE id = ?", arguments: [id])
    }
    // What waits may be the decision, or what came of one that is written.
    let problem = await writeWaiting()
    if let found = try await read(fetch) { return found }
    if let problem { throw problem }
    return nil
  }

  /// A page of decisions, newest first, with the beginning of a long prompt.
  package func decisions(
    _ filter: DecisionFilter = DecisionFilter()
  ) async throws(DecisionLogError) -> DecisionPage {
    // Where it can't be written, what is there is still worth reading.
    _ = await writeWaiting()
    var conditions: [String] = []
    var arguments: [(any DatabaseValueConvertible)?] = []
    if let since = filter.sinceMilliseconds {
      conditions.append("time_ms >= ?")
      arguments.append(since)
    }
    if let expert = filter.expert {
      conditions.append("expert = ?")
      arguments.append(expert)
    }
    if let status = filter.status {
      conditions.append("status = ?")
      arguments.append(status.rawValue)
    }
    if let keyName = filter.keyName {
      conditions.append("key_name = ?")
      arguments.append(keyName)
    }
    if let cursor = filter.cursor {
      conditions.append("id < ?")
      arguments.append(cursor)
    }
    let clause = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    let sql = """
      SELECT \(DecisionRecord.listedColumns) FROM decisions \(clause)
      ORDER BY id DESC LIMIT \(filter.limit + 1)
      """
    let values = StatementArguments(arguments)
    let rows = try await read { db in
      try DecisionRecord.fetchAll(db, sql: sql, arguments: values)
    }
    let page = Array(rows.prefix(filter.limit))
    return DecisionPage(
      decisions: page, nextCursor: rows.count > filter.limit ? page.last?.id : nil)
  }

  /// Writes what waits, so that a reader sees what was acknowledged before. What stood in the way, if
  /// something did.
  func writeWaiting() async -> DecisionLogError? {
    guard counters.waiting > 0 else { return nil }
    do {
      try await flush()
      return nil
    } catch {
      return error
    }
  }

  package func decisionCount() async throws(DecisionLogError) -> Int {
    try await read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM decisions") ?? 0 }
  }

  /// Means over the newest `limit` decisions since a time, an expert a row, sorted by id.
  ///
  /// - Parameters:
  ///   - goal: the key under `goals` in ``DecisionRecord/expertsJSON``.
  ///   - keyName: Counts the decisions of this key alone.
  package func aggregates(
    goal: String, sinceMilliseconds: Int64? = nil, keyName: String? = nil, limit: Int = 5_000
  ) async throws(DecisionLogError) -> [ExpertAggregate] {
    guard goal.utf8.allSatisfy({ (97...122).contains($0) || $0 == 95 }), !goal.isEmpty else {
      throw .invalidRecord(field: "goal", value: goal, expected: "the name of a goal")
    }
    let since = sinceMilliseconds ?? .min
    return try await read { db in
      try ExpertAggregate.fetchAll(
        db,
        sql: """
          WITH recent AS (
            SELECT expert, experts_json FROM decisions
            WHERE time_ms >= :since AND (:key IS NULL OR key_name = :key)
              AND json_valid(experts_json)
            ORDER BY id DESC LIMIT :limit
          ), flat AS (
            SELECT
              json_extract(each.value, '$.expert') AS expert,
              json_extract(each.value, '$.predicted_loss') AS loss,
              json_extract(each.value, '$.goals.' || :goal || '.raw') AS raw,
              json_extract(each.value, '$.goals.' || :goal || '.cost') AS cost,
              recent.expert = json_extract(each.value, '$.expert') AS chosen
            FROM recent, json_each(recent.experts_json) AS each
            WHERE json_type(each.value) = 'object'
          )
          SELECT expert, count(loss) AS considered, total(chosen) AS chosen,
            avg(loss) AS meanPredictedLoss, avg(raw) AS meanRaw, avg(cost) AS meanCost
          FROM flat WHERE expert IS NOT NULL GROUP BY expert ORDER BY expert
          """,
        arguments: [
          "since": since, "key": keyName, "limit": min(max(1, limit), 1_000_000), "goal": goal,
        ])
    }
  }

  package func statistics() async throws(DecisionLogError) -> [ExpertStatisticsRecord] {
    try await read { db in
      try ExpertStatisticsRecord.fetchAll(
        db, sql: "SELECT * FROM expert_statistics ORDER BY expert")
    }
  }

  /// Marks decisions whose answers never ended because the server did; for the server at its start.
  @discardableResult
  package func markInterrupted() async throws(DecisionLogError) -> Int {
    try await write { db in
      try db.execute(sql: "UPDATE decisions SET status = 'interrupted' WHERE status = 'pending'")
      return db.changesCount
    }
  }

  /// Deletes the decisions (and their feedback) before a time; for keeping no more than is wanted.
  @discardableResult
  package func deleteDecisions(
    beforeMilliseconds: Int64
  ) async throws(DecisionLogError) -> Int {
    try await write { db in
      try db.execute(
        sql: "DELETE FROM decisions WHERE time_ms < ?", arguments: [beforeMilliseconds])
      return db.changesCount
    }
  }
}
