import Generation

/// `stop`: one text or a list of them.
package struct StopBody: Decodable, Sendable {
  package let texts: [String]

  /// Those of a field with another name, by which an error calls them.
  init(_ texts: [String], named name: String) throws(APIError) {
    self.texts = texts
    var parameters = SamplingParameters()
    parameters.stop = texts
    do {
      try parameters.validate()
    } catch {
      guard case .invalidParameter(_, let value, let expected) = error else {
        throw APIError(error)
      }
      throw APIError(
        GenerationError.invalidParameter(name: name, value: value, expected: expected))
    }
  }

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let one = try? value.decode(String.self) {
      texts = [one]
    } else {
      do {
        texts = try value.decode([String].self)
      } catch DecodingError.typeMismatch(_, let context)
        where context.codingPath.count == decoder.codingPath.count
      {
        throw APIError.badRequest(
          "'stop' must be a text or a list of texts", code: "invalid_type", param: "stop")
      }
    }
  }
}
