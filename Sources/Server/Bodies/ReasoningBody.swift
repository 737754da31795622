import Generation
import JSON

/// `reasoning_effort`, `thinking_budget_tokens` and `chat_template_kwargs`: what a request asks of a model's thinking, in
/// the words of OpenAI's API, llama-server and vLLM.
enum ReasoningBody {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case effort = "reasoning_effort"
    case budget = "thinking_budget_tokens"
    case variables = "chat_template_kwargs"
  }

  static func decode(from decoder: any Decoder) throws -> ReasoningRequest {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    var request = ReasoningRequest()
    if let word = try values.decodeIfPresent(String.self, forKey: .effort) {
      request.effort = try effort(word, param: CodingKeys.effort.stringValue)
    }
    request.budgetTokens = try values.wholeNumberIfPresent(forKey: .budget)
    // Other servers' word for "without end".
    if request.budgetTokens == -1 { request.budgetTokens = nil }
    if values.contains(.variables), try !values.decodeNil(forKey: .variables) {
      request.templateVariables = try variables(
        decoder.orderedBody()?[CodingKeys.variables.stringValue] ?? .null)
    }
    return request
  }

  /// The effort that a word asks for.
  static func effort(
    _ word: String, param: String
  ) throws(APIError) -> ReasoningRequest.Effort {
    guard let effort = ReasoningRequest.Effort(rawValue: word) else {
      let known = ReasoningRequest.Effort.allCases.map(\.rawValue).joined(separator: ", ")
      throw .badRequest(
        "'\(param)' must be one of \(known)", code: "unsupported_value", param: param)
    }
    return effort
  }

  private static func variables(_ value: JSONValue) throws(APIError) -> [String: JSONValue] {
    let param = CodingKeys.variables.stringValue
    guard case .object(let pairs) = value else {
      throw .badRequest("'\(param)' must be an object", code: "invalid_type", param: param)
    }
    var variables: [String: JSONValue] = [:]
    for (name, value) in pairs {
      guard !ReasoningRequest.ownNames.contains(name) else {
        throw .badRequest(
          "'\(param).\(name)' is the server's to set", code: "unsupported_value",
          param: "\(param).\(name)")
      }
      variables[name] = value
    }
    return variables
  }
}
