import Generation
import JSON

/// `thinking` and `output_config.effort` of Anthropic's API.
enum MessagesThinking {
  /// What is asked of the model's thinking. Who does not ask for any expects an answer alone: a model that can
  /// answers at once, and what another one thinks is not shown.
  static func request(
    _ value: JSONValue?, effort: JSONValue?
  ) throws(APIError) -> ReasoningRequest {
    var request = ReasoningRequest.unasked
    if let value, !value.isNull {
      request = .off
      switch try value.text("type", at: "thinking") {
      case "disabled": break
      // As much as the model likes.
      case "adaptive", "auto": request.isEnabled = true
      case "enabled":
        request.isEnabled = true
        switch value["budget_tokens"] {
        case nil, .null?: break
        case .int(let budget)? where budget > 0: request.budgetTokens = budget
        default:
          throw .badRequest(
            "'thinking.budget_tokens' must be a whole number above 0",
            param: "thinking.budget_tokens")
        }
      default:
        throw .badRequest(
          "'thinking.type' must be enabled, adaptive or disabled", code: "unsupported_value",
          param: "thinking.type")
      }
    }
    switch effort {
    case nil, .null?: break
    // Anthropic's word for the most.
    case .string("max")?: request.effort = .xhigh
    case .string(let word)?:
      request.effort = try ReasoningBody.effort(word, param: "output_config.effort")
    default:
      throw .badRequest(
        "'output_config.effort' must be a text", code: "invalid_type",
        param: "output_config.effort")
    }
    return request
  }
}
