import ModelFiles
import Tokenization

extension GGUFFile {
  /// The control tokens of the file's tokenizer, such as those around a chat's turns; nil if the file
  /// doesn't say which they are.
  var controlTokens: Set<Int32>? {
    guard let kinds = ints("tokenizer.ggml.token_type") else { return nil }
    let control = Int(TokenKind.control.rawValue)
    return Set(
      kinds.indices.lazy.filter { kinds[$0] == control }.compactMap { Int32(exactly: $0) })
  }
}
