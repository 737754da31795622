import Foundation
import Generation
import HTTP
import Library
import Routing
import Server
import Testing
import Thalamus
import Tokenization

@Suite struct APIErrorTests {
  @Test func shapeOfTheBody() throws {
    let response = APIError.badRequest("no \"x\"", code: "bad", param: "x").response
    #expect(response.status == .badRequest)
    #expect(response.headers["Content-Type"] == "application/json")
    #expect(
      response.text
        == #"{"error":{"code":"bad","message":"no \"x\"","param":"x","type":"invalid_request_error"}}"#
    )
    let bare = APIError(status: .serviceUnavailable, message: "m", code: "c", retryAfterSeconds: 3)
    #expect(
      bare.response.text
        == #"{"error":{"code":"c","message":"m","param":null,"type":"server_error"}}"#)
    #expect(bare.response.headers["Retry-After"] == "3")
    let locked = APIError(status: .unauthorized, message: "m", code: "c")
    #expect(locked.type == "authentication_error")
    #expect(locked.response.headers["WWW-Authenticate"] == "Bearer")
  }

  private struct Strange: Error {}

  private static let raised: ChatTemplateError? = {
    do {
      _ = try ChatTemplate(source: "{{ raise_exception('no') }}").render(
        messages: [], addGenerationPrompt: false, bosToken: "", eosToken: "")
      return nil
    } catch {
      return error as? ChatTemplateError
    }
  }()

  static let cases: [(any Error, Refusal)] = [
    (APIError.badRequest("m", code: "c", param: "p"), Refusal(400, "c", "p")),
    (CancellationError(), Refusal(499, "cancelled", nil)),
    (Strange(), Refusal(500, "internal_error", nil)),
    (
      RoutingError.invalidValue(field: "f", value: "v", expected: "e"),
      Refusal(400, "invalid_value", "f")
    ),
    (RoutingError.unknownKey(field: "f", suggestion: nil), Refusal(400, "unknown_key", "f")),
    (RoutingError.noEligibleExpert([]), Refusal(422, "no_eligible_expert", "constraints")),
    (
      RoutingError.noEligibleExpert([
        .init(expert: "a", reason: .notAmongNamedExperts),
        .init(
          expert: "b",
          reason: .overBudget(usd: 1, remaining: RemainingBudget(usd: 0, of: "key 'a'"))),
      ]), Refusal(429, "insufficient_quota", nil)
    ),
    (
      RoutingError.noEligibleExpert([
        .init(expert: "a", reason: .notAmongNamedExperts),
        .init(expert: "b", reason: .readsNoImages),
      ]), Refusal(400, "unsupported_value", "messages")
    ),
    (RoutingError.unknownExpert("x"), Refusal(404, "model_not_found", "model")),
    (RoutingError.unknownStrategy("x"), Refusal(400, "unknown_strategy", "strategy")),
    (
      RoutingError.wrongDimension(field: "f", expected: 1, found: 2),
      Refusal(500, "router_error", nil)
    ),
    (
      RoutingError.notEnoughData(field: "f", needed: 1, found: 0),
      Refusal(500, "router_error", nil)
    ),
    (RoutingError.damagedRouter(field: "f", problem: "p"), Refusal(500, "router_error", nil)),
    (RoutingError.numericalFailure(field: "f"), Refusal(500, "router_error", nil)),
    (LibraryError.unknownExpert(id: "x", known: []), Refusal(404, "model_not_found", "model")),
    (LibraryError.missingFile(expert: "x", path: "p"), Refusal(503, "model_unavailable", nil)),
    (LibraryError.unloadable(expert: "x", problem: "p"), Refusal(503, "model_unavailable", nil)),
    (LibraryError.unreadableFolder(path: "p"), Refusal(500, "library_error", nil)),
    (LibraryError.invalidCard(path: "p", problem: "q"), Refusal(500, "library_error", nil)),
    (
      GenerationError.invalidParameter(name: "top_p", value: "2", expected: "less"),
      Refusal(400, "invalid_value", "top_p")
    ),
    (GenerationError.emptyPrompt, Refusal(400, "invalid_value", "prompt")),
    (
      GenerationError.promptTooLong(promptTokens: 9, contextLength: 8),
      Refusal(400, "context_length_exceeded", "messages")
    ),
    (
      GenerationError.keyValueMemoryTooSmall(neededBytes: 2, limitBytes: 1),
      Refusal(400, "context_length_exceeded", "messages")
    ),
    (
      GenerationError.tokenOutOfRange(token: 9, vocabularySize: 8),
      Refusal(400, "invalid_value", "prompt")
    ),
    (GenerationError.queueFull(limit: 1), Refusal(503, "overloaded", nil)),
    (GenerationError.cancelled, Refusal(499, "cancelled", nil)),
    (GenerationError.shutDown, Refusal(503, "shutting_down", nil)),
    (GenerationError.model("m"), Refusal(500, "model_failed", nil)),
    (ServiceError.unknownDecision(id: "x"), Refusal(404, "decision_not_found", "id")),
    (ServiceError.noLog, Refusal(404, "no_decision_log", nil)),
    (ServiceError.log(problem: "p"), Refusal(503, "decision_log_failed", nil)),
    (ServiceError.untrained(strategy: "s", path: "p"), Refusal(503, "router_untrained", nil)),
    (ServiceError.encoder(problem: "p"), Refusal(503, "encoder_failed", nil)),
    (
      ServiceError.invalidQuery(name: "since", problem: "p"), Refusal(400, "invalid_value", "since")
    ),
  ]

  @Test(arguments: APIErrorTests.cases.indices) func everyErrorHasItsStatus(index: Int) {
    let (error, expected) = Self.cases[index]
    let found = APIError(any: error)
    #expect(Refusal(found) == expected, "\(error)")
    #expect(!found.message.isEmpty)
  }

  @Test func templateThatRefuses() throws {
    let error = APIError(any: try #require(Self.raised))
    #expect(Refusal(error) == Refusal(400, "invalid_value", "messages"))
    #expect(error.message.contains("no"))
  }

  @Test func busyServerSaysWhenToComeBack() {
    #expect(
      APIError(any: GenerationError.queueFull(limit: 1)).response.headers["Retry-After"] == "1")
    #expect(APIError(any: GenerationError.shutDown).response.headers["Retry-After"] == "5")
  }
}
