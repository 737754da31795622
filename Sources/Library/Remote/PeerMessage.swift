import JSON

/// What an endpoint says of an error, in one of the forms that there are.
enum PeerMessage {
  private static let maximumCharacters = 400

  /// `{"error": {"message"}}`, `{"error": "…"}`, `{"message"}` or `{"detail"}`; nil for anything else.
  static func text(of value: JSONValue) -> String? {
    for found in [value["error"]?["message"], value["error"], value["message"], value["detail"]] {
      if case .string(let text)? = found { return cleaned(text) }
    }
    return nil
  }

  /// The same of a response's body, or else the body itself where it is text; and the error's code.
  ///
  /// - Parameter secret: The key, which is taken out before anything is cut: a part of it would be told else.
  static func read(_ body: [UInt8], without secret: String?) -> (text: String, code: String?) {
    let body = Array(without(secret, String(decoding: body, as: UTF8.self)).utf8)
    let value = try? JSONParser.parse(body)
    var code: String?
    if case .string(let found)? = value?["error"]?["code"] { code = found }
    if let text = value.flatMap({ Self.text(of: $0) }) { return (text, code) }
    let text = cleaned(String(decoding: body, as: UTF8.self))
    return (text.isEmpty ? "it does not say why" : text, code)
  }

  /// The text without the key, should the endpoint have quoted it.
  static func without(_ secret: String?, _ text: String) -> String {
    guard let secret, !secret.isEmpty else { return text }
    return text.replacing(secret, with: "(the key)")
  }

  /// One line without control characters, of bounded length.
  static func cleaned(_ text: String) -> String {
    let line = String(
      String.UnicodeScalarView(
        text.unicodeScalars.prefix(4 * maximumCharacters).map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .format, .lineSeparator, .paragraphSeparator: " "
          default: scalar
          }
        }))
    return String(line.split(separator: " ").joined(separator: " ").prefix(maximumCharacters))
  }
}
