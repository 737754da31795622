import ModelFiles

/// Makes the tokenizer that a GGUF file's metadata describes.
package func makeTokenizer(from file: GGUFFile) throws(TokenizerError) -> any Tokenizer {
  let key = "tokenizer.ggml.model"
  guard let model = file.string(key) else {
    throw TokenizerError(field: key, problem: "is missing")
  }
  switch model {
  case "gpt2": return try ByteLevelBPETokenizer(file: file)
  case "llama": return try SentencePieceTokenizer(file: file, merging: .scores)
  case "gemma4": return try SentencePieceTokenizer(file: file, merging: .ranks)
  default:
    throw TokenizerError(field: key, problem: "tokenizer \"\(model)\" is not supported")
  }
}
