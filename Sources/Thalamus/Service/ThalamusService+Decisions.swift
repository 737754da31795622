import DecisionLog
import Foundation
import Routing

extension ThalamusService {
  /// Name of the key whose decisions alone the caller may see; nil for those who see all.
  private var onlyKeyName: String? {
    APIKey.currentIsAdmin ? nil : APIKey.current?.name
  }

  /// A page of logged decisions, newest first: of those that the caller may see.
  package func decisions(_ filter: DecisionFilter) async throws -> DecisionPage {
    var filter = filter
    if let onlyKeyName { filter.keyName = onlyKeyName }
    return try await reading { [filter] in try await $0.decisions(filter) }
  }

  /// One logged decision; one that the caller may not see is none.
  package func decision(id: String) async throws -> DecisionRecord {
    guard let record = try await reading({ try await $0.decision(id: id) }),
      APIKey.current?.sees(decisionsOf: record.keyName) ?? true
    else {
      throw ServiceError.unknownDecision(id: id)
    }
    return record
  }

  /// Mean predicted loss against a goal, over the logged decisions that the caller may see.
  ///
  /// - Parameter since: a day or a time (ISO 8601); nil for all that is logged.
  package func pareto(
    overLogSince since: String?, goal: Goal
  ) async throws -> (report: ParetoReport, decisions: Int) {
    let start = try since.flatMap { try $0.isEmpty ? nil : Self.time($0) }
    let rows = try await reading { log in
      try await log.aggregates(
        goal: goal.rawValue, sinceMilliseconds: start, keyName: onlyKeyName)
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

  /// Milliseconds since 1970 of `2026-01-31`, `2026-01-31T12:00:00Z` or `...12:00:00.5+02:00`;
  /// `2026-01` and `2026` mean their first day.
  ///
  /// Read here, since Foundation's parser takes `2026-02-30` and ignores what follows a date.
  package static func time(_ text: String) throws(ServiceError) -> Int64 {
    let parts = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
    if let day = parts.first.flatMap({ CalendarDate($0) }) {
      let start = Int64(day.daysSince1970) * 86_400_000
      guard parts.count > 1 else { return start }
      if let sinceMidnight = timeOfDay(parts[1]) { return start + sinceMidnight }
    }
    throw .invalidQuery(
      name: "since",
      problem: "'\(text.prefix(40))' is no time such as 2026-01-31 or 2026-01-31T12:00:00Z")
  }

  /// Milliseconds since the day's start in UTC of `12:00:00Z`, `12:00:00.25Z` or `12:00:00+02:00`.
  private static func timeOfDay(_ text: Substring) -> Int64? {
    let form =
      /([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(\.[0-9]{1,9})?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))/
    guard let match = text.wholeMatch(of: form)?.output,
      let hours = Int64(match.1), let minutes = Int64(match.2), let seconds = Int64(match.3)
    else { return nil }
    let fraction = match.4.flatMap { Double("0" + $0) } ?? 0
    let zoneMinutes =
      (match.6.flatMap { Int64($0) } ?? 0) * 60 + (match.7.flatMap { Int64($0) } ?? 0)
    let zone = match.5 == "-" ? -zoneMinutes : zoneMinutes
    return ((hours * 60 + minutes - zone) * 60 + seconds) * 1000 + Int64(fraction * 1000)
  }

  func reading<Value>(
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
