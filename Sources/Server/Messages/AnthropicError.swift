import HTTP
import JSON

extension APIError {
  /// `{"type": "error", "error": {"type", "message", "details"}}`, as Anthropic's API has it.
  var inAnthropicsWords: JSONValue {
    var details: [(key: String, value: JSONValue)] = [("error_code", .string(code))]
    if let param { details.append(("param", .string(param))) }
    return .object([
      ("type", .string("error")),
      (
        "error",
        .object([
          ("type", .string(anthropicType)), ("message", .string(anthropicMessage)),
          ("details", .object(details)),
        ])
      ),
    ])
  }

  private var anthropicMessage: String {
    // What agents look for that can make a conversation shorter.
    code == "context_length_exceeded" ? "prompt is too long: \(message)" : message
  }

  private var anthropicType: String {
    switch status.code {
    case 401: "authentication_error"
    case 403: "permission_error"
    case 404: "not_found_error"
    case 413: "request_too_large"
    case 429: "rate_limit_error"
    case 400..<500: "invalid_request_error"
    default: isOverload ? "overloaded_error" : "api_error"
    }
  }

  /// Whether it is only for now, and for the number of requests.
  private var isOverload: Bool { ["overloaded", "endpoint_busy"].contains(code) }

  /// The response on Anthropic's routes.
  var anthropicResponse: HTTPResponse {
    var response = self.response
    response.body = .bytes(inAnthropicsWords.json)
    if isOverload { response.status = .overloaded }
    return response
  }
}

extension HTTPRequest {
  /// Whether it is one of Anthropic's clients: by the route, or on those that OpenAI's API has too by the header that
  /// each of them sends.
  var isAnthropics: Bool {
    rawPath == "/v1/messages" || rawPath.hasPrefix("/v1/messages/")
      || ((rawPath == "/v1/models" || rawPath.hasPrefix("/v1/models/"))
        && headers.contains("anthropic-version"))
  }
}
