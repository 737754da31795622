import Foundation
import HTTP
import Thalamus

/// `GET /usage`: what the caller's key has spent and may still spend; for those who see all, of every key.
struct UsageRoute: Sendable {
  let service: ThalamusService

  private struct Spending: Encodable {
    let budget_usd: Double?
    let period: String
    let spent_usd: Double
    let remaining_usd: Double?
    let resets_at: String?

    init(_ state: BudgetState) {
      budget_usd = state.budgetUSD
      period = state.period.rawValue
      spent_usd = state.spentUSD
      remaining_usd = state.remainingUSD
      resets_at = state.resetsAt?.jsonText
    }
  }

  private struct Key: Encodable {
    let name: String
    let admin: Bool
    let requests_per_minute: Int?
    let spending: Spending
  }

  private struct Reply: Encodable {
    let keys: [Key]
    /// Of everybody together; absent for those who see their own alone.
    let server: Spending?
  }

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let seesAll = APIKey.currentIsAdmin
    let keys = service.keys.keys.filter { seesAll || $0.name == APIKey.current?.name }
    return JSONCoding.response(
      Reply(
        keys: keys.map { key in
          Key(
            name: key.name, admin: key.isAdmin, requests_per_minute: key.requestsPerMinute,
            spending: Spending(service.budget(of: key)))
        },
        server: seesAll ? Spending(service.serverBudget()) : nil))
  }
}
