import ModelFiles

extension MergeTable {
  /// The merges of a GGUF file, each two tokens with a space between.
  /// - Parameter decode: Makes the bytes of a token as `tokens` has it, of those in the file; false where
  ///   they are none.
  init(
    file: GGUFFile, tokens: ByteStringTable,
    decode: (UnsafeRawBufferPointer, inout [UInt8]) -> Bool
  ) throws(TokenizerError) {
    let key = "tokenizer.ggml.merges"
    guard let strings = file.array(key), strings.elementType == .string else {
      throw TokenizerError(field: key, problem: "is missing")
    }
    guard strings.count <= Vocabulary.maximumCount else {
      throw TokenizerError(
        field: "\(key).count",
        problem: "is \(strings.count), expected at most \(Vocabulary.maximumCount)")
    }
    var table = MergeTable(capacity: strings.count)
    var left: [UInt8] = []
    var right: [UInt8] = []
    try strings.forEachBytes { (index, text) throws(TokenizerError) in
      func fail(_ problem: String) -> TokenizerError {
        TokenizerError(
          field: "\(key)[\(index)]",
          problem: "\"\(String(decoding: text.prefix(100), as: UTF8.self))\" \(problem)")
      }
      // Neither half is empty, so the space that parts them is not the first byte.
      guard let space = text.dropFirst().firstIndex(of: 0x20), space + 1 < text.count,
        decode(UnsafeRawBufferPointer(rebasing: text[..<space]), &left),
        decode(UnsafeRawBufferPointer(rebasing: text[(space + 1)...]), &right)
      else { throw fail("is not two tokens with a space between") }
      let leftId = tokens.find(left)
      let rightId = tokens.find(right)
      left.append(contentsOf: right)
      let merged = tokens.find(left)
      guard leftId >= 0, rightId >= 0, merged >= 0 else {
        throw fail("has a part or a result that is no token")
      }
      table.insert(leftId, rightId, .init(rank: Int32(index), merged: merged))
    }
    self = table
  }
}
