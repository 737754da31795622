/// Turns text into a model's token ids and back.
///
/// ```swift
/// let tokenizer = try makeTokenizer(from: file)
/// let ids = tokenizer.encode("Hello", addSpecial: true, parseSpecial: false)
/// tokenizer.decode(ids)  // "Hello"
/// ```
package protocol Tokenizer: Sendable {
  /// Number of ids; valid ids are `0..<vocabularyCount`.
  var vocabularyCount: Int { get }
  /// The id that begins a text, whether or not `encode` adds it.
  var beginningOfText: Int32? { get }
  /// The id that ends a text, whether or not `encode` adds it.
  var endOfText: Int32? { get }
  /// The ids at which generation stops: end of text, end of turn and their like.
  var endTokens: Set<Int32> { get }
  /// Whether decoding drops the space that a text begins with, because encoding added one.
  var addsSpacePrefix: Bool { get }

  /// The ids of a text.
  ///
  /// - Parameters:
  ///   - addSpecial: add what the model wants around a text (its beginning token, say).
  ///   - parseSpecial: read control tokens written out in the text (`<|im_start|>`) as such. Only
  ///     for text that the server wrote itself, such as a rendered chat template.
  func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32]

  /// The bytes that a token stands for, possibly a part of a character. Empty for ids out of
  /// range; for special tokens their name.
  func bytes(of id: Int32) -> [UInt8]

  /// Whether the token is a control token, which decoding does not show.
  func isSpecial(_ id: Int32) -> Bool

  /// The id of the token with exactly that text, control tokens included.
  func id(ofToken text: String) -> Int32?
}

extension Tokenizer {
  /// The text of the ids, without special tokens; broken UTF-8 becomes U+FFFD.
  package func decode(_ ids: some Sequence<Int32>) -> String {
    var detokenizer = StreamingDetokenizer(self)
    var text = ""
    for id in ids { text += detokenizer.append(id) }
    return text + detokenizer.finish()
  }

  /// The ids of a text given as bytes; broken UTF-8 counts as U+FFFD.
  package func encode(
    _ bytes: some Collection<UInt8>, addSpecial: Bool, parseSpecial: Bool
  ) -> [Int32] {
    encode(
      String(decoding: bytes, as: UTF8.self), addSpecial: addSpecial, parseSpecial: parseSpecial)
  }
}
