import DecisionLog
import Foundation
import Routing

extension ThalamusService {
  /// A page of logged decisions, newest first.
  package func decisions(_ filter: DecisionFilter) async throws -> DecisionPage {
    try await reading { try await $0.decisions(filter) }
  }

  /// One logged decision.
  package func decision(id: String) async throws -> DecisionRecord {
    guard let record = try await reading({ try await $0.decision(id: id) }) else {
      throw ServiceError.unknownDecision(id: id)
    }
    return record
  }

  /// Mean predicted loss against a goal, over the logged decisions.
  ///
  /// - Parameter since: a day or a time (ISO 8601); nil for all that is logged.
  package func pareto(
    overLogSince since: String?, goal: Goal
  ) async throws -> (report: ParetoReport, decisions: Int) {
    let start = try since.flatMap { try $0.isEmpty ? nil : Self.time($0) }
    let rows = try await reading { log in
      try await log.aggregates(goal: goal.rawValue, sinceMilliseconds: start)
    }
    let decisions = rows.reduce(0) { $0 + $1.chosen }
    let points = rows.map { row in
      ParetoReport.Point(
        expert: row.expert, predictedLoss: row.meanPredictedLoss, raw: row.meanRaw,
        cost: row.meanCost,
        share: decisions > 0 ? Double(row.chosen) / Double(decisions) : nil)
    }
    return (ParetoReport(goal: goal, points: points), decisions)
  }

  /// Milliseconds since 1970 of `2026-01-31` or `2026-01-31T12:00:00Z`.
  package static func time(_ text: String) throws(ServiceError) -> Int64 {
    if let date = try? Date(text, strategy: .iso8601) { return milliseconds(date) }
    if let date = try? Date(
      text, strategy: .iso8601.year().month().day())
    {
      return milliseconds(date)
    }
    throw .invalidQuery(
      name: "since",
      problem: "'\(text.prefix(40))' is no time such as 2026-01-31 or 2026-01-31T12:00:00Z")
  }

  private func reading<Value>(
    _ query: (DecisionLog) async throws -> Value
  ) async throws -> Value {
    guard let log else { throw ServiceError.noLog }
    do {
      return try await query(log)
    } catch let error as DecisionLogError {
      throw ServiceError.log(problem: error.description)
    }
  }
}
