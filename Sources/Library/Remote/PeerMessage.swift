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
  static func read(_ body: [UInt8]) -> (text: String, code: String?) {
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
    let cleaned = text.replacing(secret, with: "(the key)")
    // A long message was cut, and perhaps within the key.
    let part = (leastPart..<max(leastPart, secret.count)).reversed().lazy
      .map { secret.prefix($0) }.first { cleaned.hasSuffix($0) }
    return part.map { cleaned.dropLast($0.count) + "(the key)" } ?? cleaned
  }

  /// Characters of a key that tell nothing.
  private static let leastPart = 4

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
