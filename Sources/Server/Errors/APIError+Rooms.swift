import Generation
import HTTP
import Library
import Routing
import Thalamus
import Tokenization

extension APIError {
  /// The API's error for any error of the rooms below.
  package init(any error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as RoutingError: self.init(error)
    case let error as LibraryError: self.init(error)
    case let error as GenerationError: self.init(error)
    case let error as RemoteError: self.init(error)
    case let error as ServiceError: self.init(error)
    case let error as ChatTemplateError:
      self = .badRequest("the chat template refuses these messages: \(error)", param: "messages")
    case is CancellationError:
      self.init(
        status: .clientClosedRequest, message: "the request was cancelled", code: "cancelled")
    default:
      self.init(
        status: .internalServerError, message: "unexpected: \(error)", code: "internal_error")
    }
  }

  package init(_ error: RoutingError) {
    let message = error.description
    switch error {
    case .invalidValue(let field, _, _):
      self = .badRequest(message, param: field)
    case .unknownKey(let field, _):
      self = .badRequest(message, code: "unknown_key", param: field)
    case .noEligibleExpert(let reasons) where Self.onlyContextIsMissing(reasons):
      // What OpenAI's clients look for when a prompt is too long.
      self = .badRequest(message, code: "context_length_exceeded", param: "messages")
    case .noEligibleExpert(let reasons) where Self.onlyEyesAreMissing(reasons):
      self = .badRequest(message, code: "unsupported_value", param: "messages")
    case .noEligibleExpert(let reasons) where Self.onlyBudgetIsMissing(reasons):
      // As OpenAI's API says it of an account that is used up.
      self.init(status: .tooManyRequests, message: message, code: "insufficient_quota")
    case .noEligibleExpert(let reasons) where Self.onlyTemporarily(reasons):
      self.init(
        status: .serviceUnavailable, message: message, code: "model_unavailable")
    case .noEligibleExpert:
      // Never silently widened: the caller learns which limit shut out whom.
      self.init(
        status: .unprocessableContent, message: message, code: "no_eligible_expert",
        param: "constraints")
    case .unknownExpert:
      self.init(status: .notFound, message: message, code: "model_not_found", param: "model")
    case .unknownStrategy:
      self = .badRequest(message, code: "unknown_strategy", param: "strategy")
    case .wrongDimension, .notEnoughData, .damagedRouter, .numericalFailure:
      self.init(status: .internalServerError, message: message, code: "router_error")
    }
  }

  /// Whether every expert that the caller would have is shut out by its context length alone.
  private static func onlyContextIsMissing(_ reasons: [ExpertIneligibility]) -> Bool {
    all(reasons) { if case .contextTooShort = $0 { true } else { false } }
  }

  /// Whether every expert that the caller would have reads text alone, and is shown images.
  private static func onlyEyesAreMissing(_ reasons: [ExpertIneligibility]) -> Bool {
    all(reasons) { $0 == .readsNoImages }
  }

  /// Whether every expert that the caller would have costs more than is left.
  private static func onlyBudgetIsMissing(_ reasons: [ExpertIneligibility]) -> Bool {
    all(reasons) { if case .overBudget = $0 { true } else { false } }
  }

  /// Whether every expert that the caller would have could answer, if only it were in order.
  private static func onlyTemporarily(_ reasons: [ExpertIneligibility]) -> Bool {
    all(reasons) { if case .unavailable = $0 { true } else { false } }
  }

  /// Whether there are experts that the caller would have, and all are shut out for such a reason.
  private static func all(
    _ reasons: [ExpertIneligibility], _ isSuch: (IneligibilityReason) -> Bool
  ) -> Bool {
    let others = reasons.map(\.reason).filter { $0 != .notAmongNamedExperts }
    return !others.isEmpty && others.allSatisfy(isSuch)
  }

  /// An image of a request that is none.
  static func unreadableImage(_ problem: ChatImage.Problem, at path: String) -> APIError {
    .badRequest("'\(path)': an image can't be read: \(problem)", param: path)
  }

  /// A key's holder sends more than the key is for.
  static func tooManyRequests(of key: APIKey, retryAfterSeconds: Int) -> APIError {
    APIError(
      status: .tooManyRequests,
      message: "key '\(key.name)' may send \(key.requestsPerMinute ?? 0) requests a minute",
      code: "rate_limit_exceeded", retryAfterSeconds: retryAfterSeconds)
  }

  package init(_ error: LibraryError) {
    let message = error.description
    switch error {
    case .unknownExpert:
      self.init(status: .notFound, message: message, code: "model_not_found", param: "model")
    case .missingFile, .unloadable, .notInstallable, .notRemovable:
      self.init(status: .serviceUnavailable, message: message, code: "model_unavailable")
    case .unreadableFolder, .invalidCard:
      self.init(status: .internalServerError, message: message, code: "library_error")
    }
  }

  package init(_ error: GenerationError) {
    let message = error.description
    switch error {
    case .invalidParameter(let name, _, _):
      self = .badRequest(message, param: name)
    case .emptyPrompt:
      self = .badRequest(message, param: "prompt")
    case .promptTooLong:
      self = .badRequest(message, code: "context_length_exceeded", param: "messages")
    case .keyValueMemoryTooSmall:
      self = .badRequest(message, code: "context_length_exceeded", param: "messages")
    case .tokenOutOfRange:
      self = .badRequest(message, param: "prompt")
    case .queueFull:
      self.init(
        status: .serviceUnavailable, message: message, code: "overloaded", retryAfterSeconds: 1)
    case .cancelled:
      self.init(status: .clientClosedRequest, message: message, code: "cancelled")
    case .shutDown:
      self.init(
        status: .serviceUnavailable, message: message, code: "shutting_down", retryAfterSeconds: 5)
    case .formatNotKept:
      self.init(
        status: .unprocessableContent, message: message, code: "format_not_kept",
        param: "response_format")
    case .model:
      self.init(status: .internalServerError, message: message, code: "model_failed")
    }
  }

  package init(_ error: RemoteError) {
    let message = error.description
    switch error {
    case .unreachable:
      self.init(status: .badGateway, message: message, code: "endpoint_unreachable")
    case .timedOut:
      self.init(status: .gatewayTimeout, message: message, code: "endpoint_timeout")
    case .keyRefused:
      self.init(status: .badGateway, message: message, code: "endpoint_key_refused")
    case .busy(_, let seconds):
      self.init(
        status: .serviceUnavailable, message: message, code: "endpoint_busy",
        retryAfterSeconds: seconds ?? 1)
    case .refused(_, let status, _, let code):
      // What the endpoint says of the request holds for it here too.
      self.init(
        status: status == 413
          ? .contentTooLarge : status == 422 ? .unprocessableContent : .badRequest,
        message: message, code: code.map { String($0.prefix(100)) } ?? "endpoint_refused")
    case .failed:
      self.init(status: .badGateway, message: message, code: "endpoint_failed")
    case .malformed:
      self.init(status: .badGateway, message: message, code: "endpoint_malformed")
    case .unsupported:
      self = .badRequest(message, code: "unsupported_parameter")
    case .resting:
      self.init(status: .serviceUnavailable, message: message, code: "endpoint_resting")
    }
  }

  package init(_ error: ServiceError) {
    let message = error.description
    switch error {
    case .unknownDecision:
      self.init(status: .notFound, message: message, code: "decision_not_found", param: "id")
    case .noLog:
      self.init(status: .notFound, message: message, code: "no_decision_log")
    case .log, .notLogged:
      self.init(status: .serviceUnavailable, message: message, code: "decision_log_failed")
    case .untrained:
      self.init(status: .serviceUnavailable, message: message, code: "router_untrained")
    case .makesNoText, .noTokenizer:
      self = .badRequest(message, code: "unsupported_model", param: "model")
    case .encoder:
      self.init(status: .serviceUnavailable, message: message, code: "encoder_failed")
    case .invalidQuery(let name, _):
      self = .badRequest(message, param: name)
    }
  }
}
