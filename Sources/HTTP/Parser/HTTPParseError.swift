/// Why a request could not be read. Each closes the connection after the answer, because where
/// the next request would begin is not known.
package enum HTTPParseError: Error, Equatable {
  case malformed(String)
  case targetTooLong(maximumBytes: Int)
  case headersTooLarge(String)
  case bodyTooLarge(maximumBytes: Int)
  case unsupportedVersion
  case unsupportedTransferCoding
  case unsupportedExpectation

  /// What the client is told.
  package var description: HTTPErrorDescription {
    switch self {
    case .malformed(let what):
      HTTPErrorDescription(status: .badRequest, message: what, code: "malformed_request")
    case .targetTooLong(let maximum):
      HTTPErrorDescription(
        status: .uriTooLong, message: "The request target is longer than \(maximum) bytes.",
        code: "target_too_long")
    case .headersTooLarge(let what):
      HTTPErrorDescription(
        status: .requestHeaderFieldsTooLarge, message: what, code: "headers_too_large")
    case .bodyTooLarge(let maximum):
      HTTPErrorDescription(
        status: .contentTooLarge, message: "The body is larger than \(maximum) bytes.",
        code: "body_too_large")
    case .unsupportedVersion:
      HTTPErrorDescription(
        status: .versionNotSupported, message: "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
        code: "version_not_supported")
    case .unsupportedTransferCoding:
      HTTPErrorDescription(
        status: .notImplemented, message: "The only transfer coding read here is chunked.",
        code: "transfer_coding_not_implemented")
    case .unsupportedExpectation:
      HTTPErrorDescription(
        status: .expectationFailed, message: "The only expectation met here is 100-continue.",
        code: "expectation_failed")
    }
  }
}
