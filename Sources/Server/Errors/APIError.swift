import HTTP

/// The one error that leaves the server: `{"error": {"message", "type", "code", "param"}}`.
///
/// Every typed error of the rooms below becomes one of these at this edge (`APIError+Rooms.swift`).
package struct APIError: Error, Sendable {
  package var status: HTTPStatus
  /// What is wrong and what to do, for a person.
  package var message: String
  /// The class of error, as OpenAI's API names them.
  package var type: String
  /// The exact error, for a program.
  package var code: String
  /// The field of the request that is at fault, if one is.
  package var param: String?
  package var retryAfterSeconds: Int?

  package init(
    status: HTTPStatus, message: String, code: String, param: String? = nil,
    retryAfterSeconds: Int? = nil
  ) {
    self.status = status
    self.message = message
    self.code = code
    self.param = param
    self.retryAfterSeconds = retryAfterSeconds
    type =
      switch status.code {
      case 401: "authentication_error"
      case 403: "permission_error"
      case 429: code == "insufficient_quota" ? code : "rate_limit_error"
      case 400..<500: "invalid_request_error"
      default: "server_error"
      }
  }

  package static func badRequest(
    _ message: String, code: String = "invalid_value", param: String? = nil
  ) -> APIError {
    APIError(status: .badRequest, message: message, code: code, param: param)
  }

  package var response: HTTPResponse {
    var response = HTTPResponse.json(JSONCoding.encode(Envelope(error: self)), status: status)
    if let retryAfterSeconds { response.headers.set("Retry-After", "\(retryAfterSeconds)") }
    if status.code == 401 { response.headers.set("WWW-Authenticate", "Bearer") }
    return response
  }

  /// The body that says so; also what a stream that fails midway sends.
  struct Envelope: Encodable {
    let error: APIError
  }
}

extension APIError: Encodable {
  private enum CodingKeys: String, CodingKey { case message, type, code, param }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(message, forKey: .message)
    try values.encode(type, forKey: .type)
    try values.encode(code, forKey: .code)
    // Clients look for the key even where nothing is named.
    try values.encode(param, forKey: .param)
  }
}
