import Tokenization

/// Whether one model's tokens mean to another what they mean to itself.
enum VocabularyMatch {
  /// Tokens at the end that only one of the two may have: rows that pad a matrix.
  private static let paddingLimit = 1024
  /// Of so many tokens one may be another: models of a family name some that none of their texts have.
  private static let tolerance = 100

  /// What is different; nil if nearly all tokens are the same texts.
  static func problem(_ other: any Tokenizer, beside tokenizer: any Tokenizer) -> String? {
    let counts = (other.vocabularyCount, tokenizer.vocabularyCount)
    guard abs(counts.0 - counts.1) <= paddingLimit else {
      return "\(counts.0) tokens and not \(counts.1)"
    }
    let shared = min(counts.0, counts.1)
    let different = (0..<Int32(clamping: shared)).filter {
      other.bytes(of: $0) != tokenizer.bytes(of: $0)
    }
    guard let first = different.first, different.count > shared / tolerance else { return nil }
    let texts = [other, tokenizer].map { String(decoding: $0.bytes(of: first), as: UTF8.self) }
    return
      "\(different.count) tokens are others, of which \(first) is '\(texts[0])' and not '\(texts[1])'"
  }
}
