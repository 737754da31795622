/// The body of `POST /v1/embeddings`.
package struct EmbeddingsBody: Decodable, Sendable {
  package enum Format: String, Decodable { case float, base64 }

  package let texts: [String]
  package let model: String?
  package let format: Format
  /// Numbers that a vector should have; nil for as many as the encoder gives.
  package let dimensions: Int?

  /// Texts of one request; the next would make others wait too long.
  package static let maximumTexts = 2048

  private enum CodingKeys: String, CodingKey {
    case input, model, dimensions
    case encodingFormat = "encoding_format"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    if let one = try? values.decode(String.self, forKey: .input) {
      texts = [one]
    } else if let several = try? values.decode([String].self, forKey: .input) {
      texts = several
    } else if values.contains(.input) {
      throw APIError.badRequest(
        "'input' must be a text or a list of texts; tokens are not understood",
        code: "invalid_type", param: "input")
    } else {
      throw APIError.badRequest("'input' is missing", code: "missing_field", param: "input")
    }
    guard (1...Self.maximumTexts).contains(texts.count) else {
      throw APIError.badRequest(
        "'input' must have 1 to \(Self.maximumTexts) texts", param: "input")
    }
    model = try values.decodeIfPresent(String.self, forKey: .model)
    if let name = try values.decodeIfPresent(String.self, forKey: .encodingFormat) {
      guard let known = Format(rawValue: name) else {
        throw APIError.badRequest(
          "encoding_format '\(name.prefix(40))' is not known; known: float, base64",
          param: "encoding_format")
      }
      format = known
    } else {
      format = .float
    }
    dimensions = try values.wholeNumberIfPresent(forKey: .dimensions)
  }
}
