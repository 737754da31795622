import Foundation
import Routing

/// US dollars that may be spent in a period, by the prices of the experts' cards.
package struct Budget: Sendable, Equatable {
  package let usd: Double
  package let period: Period

  package init(usd: Double, period: Period) {
    self.usd = usd
    self.period = period
  }

  /// How long a budget lasts. Periods begin at midnight in UTC, so that they are whole days.
  package enum Period: String, Sendable, Codable, CaseIterable {
    case day
    /// From Monday on.
    case week
    case month
    /// For good: what is spent never comes back.
    case total
  }
}

extension Budget.Period {
  /// The first of the period's days (since 1970, in UTC) that `day` lies in; for ``total`` the first of all.
  func firstDay(of day: Int) -> Int {
    switch self {
    case .day: return day
    // 1 January 1970 was a Thursday.
    case .week: return day - ((day + 3) % 7 + 7) % 7
    case .month:
      let date = CalendarDate(Date(timeIntervalSince1970: Double(day) * 86_400))
      return day - (date.day - 1)
    case .total: return .min
    }
  }

  /// When the period after this one begins; nil where there is none.
  package func end(of date: Date) -> Date? {
    let today = CalendarDate(date).daysSince1970
    let next: Int
    switch self {
    case .day: next = today + 1
    case .week: next = firstDay(of: today) + 7
    // No month has more days, and the day after its last one is in the next.
    case .month: next = Budget.Period.month.firstDay(of: firstDay(of: today) + 31)
    case .total: return nil
    }
    return Date(timeIntervalSince1970: Double(next) * 86_400)
  }

  /// As people say it: `a month`.
  package var phrase: String {
    switch self {
    case .day, .week, .month: "a \(rawValue)"
    case .total: "in all"
    }
  }
}
