import HTTP
import Thalamus

/// `POST /feedback`: what a caller thinks of an answer.
struct FeedbackRoute: Sendable {
  let service: ThalamusService

  private struct Reply: Encodable {
    let decision: String
    let expert: String
    let score: Double
    /// Whether decisions on prompts like that one follow it.
    let learned: Bool
    /// Why they don't.
    let reason: String?
  }

  func handle(_ request: HTTPRequest) async throws -> HTTPResponse {
    let body = try JSONCoding.decode(FeedbackBody.self, from: request)
    let receipt: FeedbackReceipt
    do {
      receipt = try await service.judge(
        decisionID: body.decision, score: body.score, comment: body.comment)
    } catch let error as ServiceError {
      var answer = APIError(error)
      if case .unknownDecision = error { answer.param = "decision" }
      throw answer
    }
    return JSONCoding.response(
      Reply(
        decision: receipt.decision, expert: receipt.expert, score: receipt.score,
        learned: receipt.obstacle == nil, reason: receipt.obstacle))
  }
}
