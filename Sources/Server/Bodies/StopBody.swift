/// `stop`: one text or a list of them.
package struct StopBody: Decodable, Sendable {
  package let texts: [String]

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
