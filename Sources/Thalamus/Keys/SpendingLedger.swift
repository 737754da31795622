import DecisionLog
import Foundation
import Routing
import Synchronization

/// What was spent, by key and day, and what answers that run now are expected to cost.
///
/// A budget is held against both, so that many requests at once don't each find room for one more. An answer that
/// costs more than expected may still pass the budget by the difference.
package final class SpendingLedger: Sendable {
  /// What is set aside for an answer until it ends.
  package struct Reservation: Sendable, Equatable {
    let keyName: String?
    let day: Int
    let usd: Double
  }

  private struct Account {
    /// US dollars by days since 1970.
    var days: [Int: Double] = [:]
    var reserved = 0.0

    func spent(since day: Int) -> Double {
      days.reduce(0) { $1.key >= day ? $0 + $1.value : $0 }
    }
  }

  private struct State {
    /// By key; under nil what had no key with a name.
    var keys: [String?: Account] = [:]
    /// All of them together.
    var server = Account()
  }

  private let state: Mutex<State>
  /// For everything that the server spends; nil for none.
  package let serverBudget: Budget?

  /// - Parameter spending: What the log has of earlier days.
  package init(serverBudget: Budget? = nil, spending: [DailySpending] = []) {
    var state = State()
    for row in spending {
      state.keys[row.keyName, default: Account()].days[row.day, default: 0] += row.costUSD
      state.server.days[row.day, default: 0] += row.costUSD
    }
    self.state = Mutex(state)
    self.serverBudget = serverBudget
  }

  /// US dollars that were spent in the period that `date` lies in; 0 for a key that is not known.
  package func spentUSD(by keyName: String, in period: Budget.Period, at date: Date) -> Double {
    let first = period.firstDay(of: CalendarDate(date).daysSince1970)
    return state.withLock { $0.keys[keyName]?.spent(since: first) ?? 0 }
  }

  /// The same of everybody together.
  package func spentUSD(in period: Budget.Period, at date: Date) -> Double {
    let first = period.firstDay(of: CalendarDate(date).daysSince1970)
    return state.withLock { $0.server.spent(since: first) }
  }

  /// What a request with a key may cost at most: what is left of its budget or of the server's, whichever is less. Nil where
  /// neither has one.
  package func remaining(for key: APIKey?, at date: Date) -> RemainingBudget? {
    state.withLock { remaining(for: key, at: date, $0) }
  }

  /// Sets aside what an answer is expected to cost; nil where no budget has room for it any more, since others were faster.
  package func reserve(_ usd: Double, for key: APIKey?, at date: Date) -> Reservation? {
    let day = CalendarDate(date).daysSince1970
    return state.withLock { state in
      if usd > 0, let left = remaining(for: key, at: date, state), usd > left.usd { return nil }
      state.keys[key?.name, default: Account()].reserved += usd
      state.server.reserved += usd
      return Reservation(keyName: key?.name, day: day, usd: usd)
    }
  }

  /// Puts what the answer did cost in the place of what was set aside.
  package func settle(_ reservation: Reservation, costUSD: Double) {
    state.withLock { state in
      func settle(_ account: inout Account) {
        account.reserved = max(0, account.reserved - reservation.usd)
        if costUSD > 0 { account.days[reservation.day, default: 0] += costUSD }
      }
      settle(&state.keys[reservation.keyName, default: Account()])
      settle(&state.server)
    }
  }

  private func remaining(for key: APIKey?, at date: Date, _ state: State) -> RemainingBudget? {
    let today = CalendarDate(date).daysSince1970
    func left(_ budget: Budget, _ account: Account?, of owner: String) -> RemainingBudget {
      let used =
        (account?.spent(since: budget.period.firstDay(of: today)) ?? 0)
        + (account?.reserved ?? 0)
      return RemainingBudget(
        usd: max(0, budget.usd - used), of: "\(owner), $\(budget.usd) \(budget.period.phrase)")
    }
    var candidates: [RemainingBudget] = []
    if let key, let budget = key.budget {
      candidates.append(left(budget, state.keys[key.name], of: "key '\(key.name)'"))
    }
    if let serverBudget { candidates.append(left(serverBudget, state.server, of: "this server")) }
    return candidates.min { $0.usd < $1.usd }
  }
}
