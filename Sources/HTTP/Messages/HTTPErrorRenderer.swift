/// An error that the HTTP room itself answers, before or instead of a handler.
package struct HTTPErrorDescription: Sendable, Equatable {
  package var status: HTTPStatus
  /// What was wrong, for a person.
  package var message: String
  /// The kind of error, for a program: `invalid_request_error` or `server_error`.
  package var type: String
  /// The exact error, for a program: `method_not_allowed`.
  package var code: String

  package init(status: HTTPStatus, message: String, code: String) {
    self.status = status
    self.message = message
    self.type = status.code < 500 ? "invalid_request_error" : "server_error"
    self.code = code
  }
}

/// Makes the response for such an error.
///
/// `request` is what was read of the head, without a body; nil where not even the request line was.
package typealias HTTPErrorRenderer =
  @Sendable (_ error: HTTPErrorDescription, _ request: HTTPRequest?) -> HTTPResponse

extension HTTPErrorDescription {
  /// `{"error": {"message", "type", "code", "param": null}}`.
  package static let jsonRenderer: HTTPErrorRenderer = { error, _ in
    var body = #"{"error":{"message":""#
    appendEscaped(error.message, to: &body)
    body += #"","type":""#
    appendEscaped(error.type, to: &body)
    body += #"","code":""#
    appendEscaped(error.code, to: &body)
    body += #"","param":null}}"#
    return .json(Array(body.utf8), status: error.status)
  }

  private static func appendEscaped(_ text: String, to output: inout String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\":
        output.unicodeScalars.append("\\")
        output.unicodeScalars.append(scalar)
      case "\u{0}"..<"\u{20}":
        output += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default:
        output.unicodeScalars.append(scalar)
      }
    }
  }
}
