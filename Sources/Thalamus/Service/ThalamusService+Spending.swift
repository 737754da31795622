import Foundation

/// How far a budget is used.
package struct BudgetState: Sendable, Equatable {
  /// Nil where there is no budget: the rest is then of this month.
  package let budgetUSD: Double?
  package let period: Budget.Period
  package let spentUSD: Double
  /// When the next period begins; nil where none does.
  package let resetsAt: Date?

  package var remainingUSD: Double? { budgetUSD.map { max(0, $0 - spentUSD) } }
}

extension ThalamusService {
  /// How far a key's budget is used; without one, what it has spent this month.
  package func budget(of key: APIKey, at date: Date = Date()) -> BudgetState {
    state(of: key.budget, at: date) { spending.spentUSD(by: key.name, in: $0, at: date) }
  }

  /// The same of the whole server.
  package func serverBudget(at date: Date = Date()) -> BudgetState {
    state(of: spending.serverBudget, at: date) { spending.spentUSD(in: $0, at: date) }
  }

  private func state(
    of budget: Budget?, at date: Date, spent: (Budget.Period) -> Double
  ) -> BudgetState {
    let period = budget?.period ?? .month
    return BudgetState(
      budgetUSD: budget?.usd, period: period, spentUSD: spent(period),
      resetsAt: period.end(of: date))
  }
}
