import ModelFiles

/// Makes the tokenizer of a checkpoint's folder from its `tokenizer.json`, and from the files beside
/// it that say which tokens are special.
///
/// Two kinds of byte-pair encoding are known: byte-level, with any sequence of the cuts in
/// `SplitStep+Published`, and of pieces with U+2581 for spaces (Llama 2, Mistral, Gemma). What is not
/// understood is an error that names the field.
package func makeTokenizer(checkpoint folder: String) throws(TokenizerError) -> any Tokenizer {
  let file = try JSONField(path: folder + "/tokenizer.json")
  let vocabulary = try CheckpointVocabulary(
    file: file, settings: try CheckpointSettings(folder: folder))
  switch try TextLayout(file: file) {
  case .byteLevel(let preTokenizer, let normalizer):
    guard !vocabulary.hasByteTokens else { throw file["model"]["byte_fallback"].unsupported() }
    return try ByteLevelBPETokenizer(
      file: file, vocabulary: vocabulary, preTokenizer: preTokenizer, normalizer: normalizer)
  case .pieces(let layout):
    return try SentencePieceTokenizer(file: file, vocabulary: vocabulary, layout: layout)
  }
}

extension ChatTemplate {
  /// The template of a checkpoint's folder, or nil if it has none.
  package init?(checkpoint folder: String) throws {
    guard let source = try CheckpointSettings.chatTemplate(folder: folder) else { return nil }
    try self.init(source: source)
  }
}
