import DecisionLog
import Foundation
import Routing
import Testing
import Thalamus

@Suite struct BudgetTests {
  private func time(_ text: String) throws -> Date {
    Date(timeIntervalSince1970: Double(try ThalamusService.time(text)) / 1000)
  }

  @Test(arguments: [
    (Budget.Period.day, "2026-11-28T13:00:00Z", "2026-11-29"),
    (.day, "2026-12-31T23:59:59Z", "2027-01-01"),
    // 28 November 2026 is a Saturday, 30 November a Monday.
    (.week, "2026-11-28T13:00:00Z", "2026-11-30"),
    (.week, "2026-11-30T00:00:00Z", "2026-12-07"),
    (.week, "2026-11-29T23:59:59Z", "2026-11-30"),
    (.month, "2026-11-01T00:00:00Z", "2026-12-01"),
    (.month, "2026-11-30T23:59:59Z", "2026-12-01"),
    (.month, "2026-12-31T12:00:00Z", "2027-01-01"),
    (.month, "2028-02-29T12:00:00Z", "2028-03-01"),
  ])
  func periodsEnd(period: Budget.Period, now: String, end: String) throws {
    #expect(period.end(of: try time(now)) == (try time(end)))
  }

  @Test func aTotalNeverEnds() throws {
    #expect(Budget.Period.total.end(of: try time("2026-11-28")) == nil)
  }

  /// Of what the log has, each period counts its own days.
  @Test func spentInAPeriod() throws {
    func row(_ key: String?, _ day: String, _ usd: Double) throws -> DailySpending {
      DailySpending(
        keyName: key, day: try #require(CalendarDate(day)).daysSince1970, costUSD: usd)
    }
    let ledger = SpendingLedger(spending: [
      try row("alice", "2026-11-28", 1), try row("alice", "2026-11-24", 2),
      try row("alice", "2026-11-22", 4), try row("alice", "2026-10-31", 8),
      try row("bob", "2026-11-28", 16), try row(nil, "2026-11-28", 32),
    ])
    let now = try time("2026-11-28T12:00:00Z")
    #expect(
      Budget.Period.allCases.map { ledger.spentUSD(by: "alice", in: $0, at: now) } == [1, 3, 7, 15])
    #expect(ledger.spentUSD(by: "nobody", in: .total, at: now) == 0)
    #expect(ledger.spentUSD(in: .day, at: now) == 49)
    #expect(ledger.spentUSD(in: .total, at: now) == 63)
    #expect(ledger.spentUSD(by: "alice", in: .month, at: try time("2026-12-01")) == 0)
  }

  private func key(_ usd: Double?, _ period: Budget.Period = .month) -> APIKey {
    APIKey(
      name: "alice", sha256: String(repeating: "0", count: 64),
      budget: usd.map { Budget(usd: $0, period: period) })
  }

  /// What runs is held against the budget before it has cost anything.
  @Test func reservations() throws {
    let ledger = SpendingLedger()
    let now = try time("2026-11-28T12:00:00Z")
    let key = key(1)
    let first = try #require(ledger.reserve(0.75, for: key, at: now))
    #expect(ledger.remaining(for: key, at: now)?.usd == 0.25)
    #expect(ledger.reserve(0.5, for: key, at: now) == nil)
    let second = try #require(ledger.reserve(0.25, for: key, at: now))
    #expect(ledger.reserve(0.125, for: key, at: now) == nil)
    // What costs nothing always has room.
    #expect(ledger.reserve(0, for: key, at: now) != nil)
    ledger.settle(first, costUSD: 0.5)
    ledger.settle(second, costUSD: 0)
    #expect(ledger.remaining(for: key, at: now)?.usd == 0.5)
    #expect(ledger.spentUSD(by: "alice", in: .day, at: now) == 0.5)
    // More than was expected: nothing is left, and no debt is taken from the next month.
    let third = try #require(ledger.reserve(0.5, for: key, at: now))
    ledger.settle(third, costUSD: 5)
    #expect(ledger.remaining(for: key, at: now)?.usd == 0)
    #expect(ledger.remaining(for: key, at: try time("2026-12-01"))?.usd == 1)
    // Others have their own.
    #expect(ledger.remaining(for: self.key(nil), at: now) == nil)
    #expect(ledger.reserve(100, for: nil, at: now) != nil)
  }

  /// A key's budget and the server's: whichever has less left.
  @Test func theServersBudget() throws {
    let ledger = SpendingLedger(serverBudget: Budget(usd: 2, period: .day))
    let now = try time("2026-11-28T12:00:00Z")
    ledger.settle(try #require(ledger.reserve(1.5, for: nil, at: now)), costUSD: 1.5)
    #expect(ledger.remaining(for: nil, at: now)?.of == "this server, $2.0 a day")
    #expect(ledger.remaining(for: key(1), at: now)?.usd == 0.5)
    #expect(ledger.remaining(for: key(0.25), at: now)?.of == "key 'alice', $0.25 a month")
    #expect(ledger.reserve(1, for: key(3), at: now) == nil)
    #expect(ledger.reserve(1, for: key(3), at: try time("2026-11-29")) != nil)
  }

  /// However many come at once, no more is given away than there is.
  @Test func manyAtOnce() async throws {
    let ledger = SpendingLedger()
    let now = try time("2026-11-28T12:00:00Z")
    let key = key(1, .total)
    let granted = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<200 {
        group.addTask {
          guard let held = ledger.reserve(0.125, for: key, at: now) else { return false }
          ledger.settle(held, costUSD: 0.125)
          return true
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(granted == 8)
  }
}

@Suite struct RequestRateTests {
  private func key(_ limit: Int?, _ name: String = "alice") -> APIKey {
    APIKey(name: name, sha256: String(repeating: "0", count: 64), requestsPerMinute: limit)
  }

  @Test func aMinutesWorthThenEvenly() {
    let rate = RequestRate()
    let start = ContinuousClock.now
    let key = key(6)
    for _ in 0..<6 { #expect(rate.take(key, at: start) == nil) }
    #expect(rate.take(key, at: start) == 10)
    #expect(rate.take(key, at: start + .seconds(4)) == 6)
    #expect(rate.take(key, at: start + .seconds(10)) == nil)
    #expect(rate.take(key, at: start + .seconds(10)) == 10)
    // A pause fills it again, and no further than a minute's worth.
    let later = start + .seconds(3600)
    for _ in 0..<6 { #expect(rate.take(key, at: later) == nil) }
    #expect(rate.take(key, at: later) == 10)
    // Others have their own bucket, or none.
    #expect(rate.take(self.key(1, "bob"), at: later) == nil)
    for _ in 0..<100 { #expect(rate.take(self.key(nil, "carol"), at: later) == nil) }
  }

  /// More a minute than one a second: the wait is told in whole seconds, and never as none.
  @Test func waitsAreWholeSeconds() {
    let rate = RequestRate()
    let now = ContinuousClock.now
    let key = key(600)
    for _ in 0..<600 { _ = rate.take(key, at: now) }
    #expect(rate.take(key, at: now) == 1)
  }
}
