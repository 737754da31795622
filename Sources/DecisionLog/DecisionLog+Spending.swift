import GRDB

/// What the answers to one key's requests of one day have cost.
package struct DailySpending: Equatable, Sendable, Codable, FetchableRecord {
  /// Nil of requests whose key had no name, or that had none.
  package var keyName: String?
  /// Days since 1970 in UTC.
  package var day: Int
  package var costUSD: Double

  package init(keyName: String?, day: Int, costUSD: Double) {
    self.keyName = keyName
    self.day = day
    self.costUSD = costUSD
  }
}

extension DecisionLog {
  /// What was spent, a key and day a row; days without cost have none.
  package func spending() async throws(DecisionLogError) -> [DailySpending] {
    _ = await writeWaiting()
    return try await read { db in
      try DailySpending.fetchAll(
        db,
        sql: """
          SELECT key_name AS keyName, time_ms / 86400000 AS day, sum(cost_usd) AS costUSD
          FROM decisions WHERE cost_usd > 0 GROUP BY key_name, day ORDER BY key_name, day
          """)
    }
  }
}
