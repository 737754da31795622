/// What a token of a GGUF vocabulary is, with ggml's numbering of `tokenizer.ggml.token_type`.
package enum TokenKind: UInt8, Sendable {
  case normal = 1
  case unknown = 2
  case control = 3
  case userDefined = 4
  case unused = 5
  case byte = 6
}
