import Tokenization

/// Keeps a message's text from speaking as the chat template does.
///
/// A rendered template is read with its control tokens, so a user who writes `<|im_end|>` would end
/// the turn and could begin one of the system's. Such a text gets a zero-width space inside the
/// token's name: the model still reads the words, and nobody's turn ends.
struct ControlTokenGuard: Sendable {
  private let tokenizer: any Tokenizer
  /// Bytes that a control token's name begins with: a text without any needs no closer look.
  private let firstBytes: Set<UInt8>

  init(_ tokenizer: any Tokenizer) {
    self.tokenizer = tokenizer
    var firstBytes: Set<UInt8> = []
    for id in 0..<Int32(clamping: tokenizer.vocabularyCount) where tokenizer.isSpecial(id) {
      if let first = tokenizer.bytes(of: id).first { firstBytes.insert(first) }
    }
    self.firstBytes = firstBytes
  }

  /// The text, with the names of control tokens broken.
  func clean(_ text: String) -> String {
    guard text.utf8.contains(where: firstBytes.contains) else { return text }
    let found = Set(
      tokenizer.encode(text, addSpecial: false, parseSpecial: true).filter(tokenizer.isSpecial))
    var text = text
    for id in found {
      let name = String(decoding: tokenizer.bytes(of: id), as: UTF8.self)
      guard let first = name.first, name.count > 1 else { continue }
      text = text.replacing(name, with: "\(first)\u{200B}\(name.dropFirst())")
    }
    return text
  }
}
