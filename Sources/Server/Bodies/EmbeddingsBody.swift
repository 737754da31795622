/// The body of `POST /v1/embeddings`.
package struct EmbeddingsBody: Decodable, Sendable {
  package enum Format: String, Decodable { case float, base64 }

  package let texts: [String]
  package let model: String?
  package let format: Format

  /// Texts of one request; the next would make others wait too long.
  package static let maximumTexts = 2048

  private enum CodingKeys: String, CodingKey {
    case input, model
    case encodingFormat = "encoding_format"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    if let one = try? values.decode(String.self, forKey: .input) {
      texts = [one]
    } else {
      texts = try values.decode([String].self, forKey: .input)
    }
    guard (1...Self.maximumTexts).contains(texts.count) else {
      throw APIError.badRequest(
        "'input' must have 1 to \(Self.maximumTexts) texts", param: "input")
    }
    model = try values.decodeIfPresent(String.self, forKey: .model)
    format = try values.decodeIfPresent(Format.self, forKey: .encodingFormat) ?? .float
  }
}
