import DecisionLog
import HTTP
import Thalamus

/// `/decisions` and `/decisions/{id}`: what was decided, from what, and what came of it.
struct DecisionRoutes: Sendable {
  let service: ThalamusService

  private struct Page: Encodable {
    let decisions: [DecisionReply]
    /// Pass it as `cursor` for the page after; absent at the end.
    let next_cursor: String?
  }

  func list(_ request: HTTPRequest) async throws -> HTTPResponse {
    var filter = DecisionFilter()
    for (name, value) in request.query {
      switch name {
      case "since": filter.sinceMilliseconds = try ThalamusService.time(value)
      case "expert": filter.expert = value
      case "status":
        guard let status = DecisionRecord.Status(rawValue: value) else {
          let known = DecisionRecord.Status.allCases.map(\.rawValue).joined(separator: ", ")
          throw APIError.badRequest("unknown status; known: \(known)", param: "status")
        }
        filter.status = status
      case "limit":
        guard let limit = Int(value), (1...DecisionFilter.maximumLimit).contains(limit) else {
          throw APIError.badRequest(
            "'limit' must be 1 to \(DecisionFilter.maximumLimit)", param: "limit")
        }
        filter.limit = limit
      case "cursor":
        guard value.utf8.count == 36, value.allSatisfy({ $0.isHexDigit || $0 == "-" }) else {
          throw APIError.badRequest(
            "'cursor' must be the next_cursor of a page before", param: "cursor")
        }
        filter.cursor = value
      default:
        throw APIError.badRequest(
          "unknown parameter '\(name.prefix(40))'; known: since, expert, status, limit, cursor",
          code: "unknown_key", param: String(name.prefix(40)))
      }
    }
    let page = try await service.decisions(filter)
    return JSONCoding.response(
      Page(
        decisions: page.decisions.map { DecisionReply(record: $0) },
        next_cursor: page.nextCursor))
  }

  func one(_ request: HTTPRequest) async throws -> HTTPResponse {
    let id = DecisionPath.id(request.pathParameters["id"] ?? "")
    let record = try await service.decision(id: id)
    let feedback = try await service.feedback(onDecision: id)
    return JSONCoding.response(DecisionReply(record: record, feedback: feedback))
  }
}
