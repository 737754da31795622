import Thalamus

/// The body of `POST /tokenize`, as llama-server has it.
struct TokenizeBody: Decodable {
  let model: String
  let content: String
  /// Whether the tokens that the model wants around a text are added.
  let addsSpecial: Bool
  /// Whether control tokens that are written out in the text are read as such.
  let parsesSpecial: Bool
  let withPieces: Bool

  private enum CodingKeys: String, CodingKey {
    case model, content
    case addSpecial = "add_special"
    case parseSpecial = "parse_special"
    case withPieces = "with_pieces"
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    model = try values.decodeIfPresent(String.self, forKey: .model) ?? "auto"
    content = try values.decode(String.self, forKey: .content)
    addsSpecial = try values.decodeIfPresent(Bool.self, forKey: .addSpecial) ?? false
    parsesSpecial = try values.decodeIfPresent(Bool.self, forKey: .parseSpecial) ?? true
    withPieces = try values.decodeIfPresent(Bool.self, forKey: .withPieces) ?? false
  }
}

/// The body of `POST /detokenize`.
struct DetokenizeBody: Decodable {
  let model: String
  let tokens: [Int]

  private enum CodingKeys: String, CodingKey { case model, tokens }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    model = try values.decodeIfPresent(String.self, forKey: .model) ?? "auto"
    tokens = try values.decode([Int].self, forKey: .tokens)
  }
}
