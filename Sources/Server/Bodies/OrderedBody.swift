import JSON

/// A request's body with the members of its objects in order, for what the order matters to: Foundation's decoder
/// forgets it, and an answer by a schema has its properties as the schema has them. Read when it is first asked for.
final class OrderedBody: @unchecked Sendable {
  private let bytes: [UInt8]
  private var value: JSONValue?

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func read() throws(APIError) -> JSONValue {
    if let value { return value }
    do throws(JSONParser.Failure) {
      let read = try JSONParser.parse(bytes)
      value = read
      return read
    } catch {
      throw .badRequest(
        "the body is not valid JSON: \(error.problem) at byte \(error.offset)", code: "invalid_json"
      )
    }
  }

  // Any name is one.
  static let key = CodingUserInfoKey(rawValue: "thalamus.ordered-body")
}

extension Decoder {
  /// The whole body, in order.
  func orderedBody() throws(APIError) -> JSONValue? {
    guard let key = OrderedBody.key, let body = userInfo[key] as? OrderedBody else { return nil }
    return try body.read()
  }
}
