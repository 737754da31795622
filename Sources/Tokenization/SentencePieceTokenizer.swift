import ModelFiles

/// SentencePiece's byte-pair model (`tokenizer.ggml.model` = `llama`): neighbours whose text is a
/// token are joined, the highest score first; characters that are no token become bytes. Gemma 4's
/// (`gemma4`) lists what is joined instead, the first first.
///
/// Spaces are written as U+2581 in the vocabulary. Llama 2 puts one before the text, Gemma does
/// not. User-defined tokens (runs of spaces, HTML tags) are cut out before anything is joined.
package struct SentencePieceTokenizer: Tokenizer {
  /// Which neighbours are joined first.
  private enum Merging: Sendable {
    /// Those whose joined text scores highest, as in SentencePiece.
    case scores([Float])
    /// Those of the first rank, as in Hugging Face's tokenizers.
    case ranks(MergeTable, ignoringThemForWholeWords: Bool)
  }

  /// How a GGUF file says what is joined.
  enum FileMerging { case scores, ranks }

  private let vocabulary: Vocabulary
  /// The tokens as they stand in the file; control tokens are not found by content.
  private let pieces: ByteStringTable
  private let merging: Merging
  private let layout: PieceLayout
  /// The ids of the 256 byte tokens, or -1.
  private let byteIds: [Int32]
  /// The byte that each byte token stands for.
  private let byteValues: [Int32: UInt8]
  /// Unknown characters in a row are one token.
  private let fusesUnknown: Bool
  private let addedTokens: AddedTokenSplitter
  private let specials: [String: Int32]
  package let addsSpacePrefix: Bool
  package let endTokens: Set<Int32>

  package var vocabularyCount: Int { vocabulary.count }
  package var beginningOfText: Int32? { vocabulary.beginningOfText }
  package var endOfText: Int32? { vocabulary.endOfText }

  init(file: GGUFFile, merging: FileMerging) throws(TokenizerError) {
    guard let strings = file.array("tokenizer.ggml.tokens"), strings.elementType == .string
    else { throw TokenizerError(field: "tokenizer.ggml.tokens", problem: "is missing") }
    var vocabulary = try Vocabulary(file: file, tokens: strings, addsBeginningByDefault: true)
    if merging == .ranks {
      // Gemma 4's. Its converter calls some marks a user's own, so that its reader sees them in answers;
      // and it once wrote that no text begins with the beginning's token, without which the model babbles.
      vocabulary = vocabulary.withControlTokens(try Self.marks(strings))
    }
    var pieces = ByteStringTable(
      capacity: strings.count, byteCapacity: strings.stringByteCount)
    var special: [(id: Int32, bytes: [UInt8])] = []
    var userDefined: [(id: Int32, bytes: [UInt8])] = []
    var names: [String: Int32] = [:]
    var byteIds = [Int32](repeating: -1, count: 256)
    var byteValues: [Int32: UInt8] = [:]
    try strings.forEachBytes { (index, text) throws(TokenizerError) in
      guard text.count <= Vocabulary.maximumTokenBytes else {
        throw TokenizerError(
          field: "tokenizer.ggml.tokens[\(index)]", problem: "has \(text.count) bytes")
      }
      let id = Int32(index)
      switch vocabulary.kinds[index] {
      case .normal, .unused: pieces.append(text)
      case .byte:
        pieces.append(text, indexed: false)
        guard let byte = Self.byteValue(String(decoding: text, as: UTF8.self)) else {
          throw TokenizerError(
            field: "tokenizer.ggml.tokens[\(index)]", problem: "is no byte token like <0x0A>")
        }
        byteIds[Int(byte)] = id
        byteValues[id] = byte
      case .control, .unknown:
        pieces.append(text, indexed: false)
        special.append((id, PieceLayout.escapingSpaces(text)))
        names[String(decoding: text, as: UTF8.self)] = id
      case .userDefined:
        pieces.append(text, indexed: false)
        userDefined.append((id, PieceLayout.escapingSpaces(text)))
        names[String(decoding: text, as: UTF8.self)] = id
      }
    }
    self.vocabulary = vocabulary
    self.pieces = pieces
    switch merging {
    case .scores: self.merging = .scores(try Self.scores(file, count: strings.count))
    case .ranks:
      let table = try MergeTable(file: file, tokens: pieces) { bytes, token in
        token = Array(bytes)
        return true
      }
      self.merging = .ranks(table, ignoringThemForWholeWords: false)
    }
    self.byteIds = byteIds
    self.byteValues = byteValues
    fusesUnknown = false
    // Spaces are escaped before user-defined tokens are looked for, so that U+2581 written out in
    // the text counts as a space there too, as it does in SentencePiece.
    addedTokens = AddedTokenSplitter(
      control: [], userDefined: [], normalizedControl: special, normalizedUserDefined: userDefined)
    specials = names
    addsSpacePrefix = file.bool("tokenizer.ggml.add_space_prefix") ?? true
    layout = PieceLayout(normalizerEscapes: true, wordPrefix: addsSpacePrefix ? .always : .none)
    endTokens = vocabulary.endTokens(file: file) { names[$0] }
  }

  private static func scores(_ file: GGUFFile, count: Int) throws(TokenizerError) -> [Float] {
    let key = "tokenizer.ggml.scores"
    guard let scores = file.floats(key), scores.count == count else {
      throw TokenizerError(field: key, problem: "expected \(count) floats, one a token")
    }
    if let index = scores.firstIndex(where: { !$0.isFinite }) {
      throw TokenizerError(field: "\(key)[\(index)]", problem: "is \(scores[index])")
    }
    return scores
  }

  /// Tokens like `<|channel>` and `<channel|>`.
  private static func marks(_ tokens: GGUFArray) throws(TokenizerError) -> Set<Int32> {
    var marks: Set<Int32> = []
    try tokens.forEachBytes { (index, text) throws(TokenizerError) in
      guard text.count > 3, text.first == UInt8(ascii: "<"), text.last == UInt8(ascii: ">"),
        text[1] == UInt8(ascii: "|") || text[text.count - 2] == UInt8(ascii: "|")
      else { return }
      marks.insert(Int32(clamping: index))
    }
    return marks
  }

  /// Of a checkpoint's `tokenizer.json`.
  init(
    file: JSONField, vocabulary: CheckpointVocabulary, layout: PieceLayout
  ) throws(TokenizerError) {
    let normalize = { (content: String) in
      Array(content.utf8).withUnsafeBytes { layout.normalized($0) }
    }
    var vocabulary = vocabulary
    vocabulary.normalizeTexts(normalize)
    let pieces = vocabulary.table()
    merging = .ranks(
      try vocabulary.merges(file: file, table: pieces),
      ignoringThemForWholeWords: vocabulary.ignoresMerges)
    var byteIds = [Int32](repeating: -1, count: 256)
    var byteValues: [Int32: UInt8] = [:]
    for (id, kind) in vocabulary.vocabulary.kinds.enumerated() where kind == .byte {
      guard let byte = Self.byteValue(vocabulary.texts[id]) else { continue }
      byteIds[Int(byte)] = Int32(clamping: id)
      byteValues[Int32(clamping: id)] = byte
    }
    self.vocabulary = vocabulary.vocabulary
    self.pieces = pieces
    self.byteIds = byteIds
    self.byteValues = byteValues
    fusesUnknown = vocabulary.fusesUnknown
    self.layout = layout
    addedTokens = AddedTokenSplitter(vocabulary.added, normalize: normalize)
    specials = Dictionary(vocabulary.added.map { ($0.content, $0.id) }) { $1 }
    addsSpacePrefix = try TextLayout.dropsFirstSpace(file)
    endTokens = vocabulary.endTokens
  }

  package func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    var ids: [Int32] = []
    if addSpecial, vocabulary.addsBeginning, let id = beginningOfText { ids.append(id) }
    var text = text
    text.withUTF8 { utf8 in
      let bytes = UnsafeRawBufferPointer(utf8)
      for piece in addedTokens.beforeNormalizing(withControl: parseSpecial).split(bytes) {
        switch piece {
        case .token(let id): ids.append(id)
        case .text(let range):
          let isFirst = range.lowerBound == 0
          let part = UnsafeRawBufferPointer(rebasing: bytes[range])
          layout.normalized(part).withUnsafeBytes { part in
            for piece in addedTokens.afterNormalizing(withControl: parseSpecial).split(part) {
              switch piece {
              case .token(let id): ids.append(id)
              case .text(let range):
                let isFirst = isFirst && range.lowerBound == 0
                layout.word(UnsafeRawBufferPointer(rebasing: part[range]), isFirst: isFirst)
                  .withUnsafeBytes { append($0, to: &ids) }
              }
            }
          }
        }
      }
    }
    if addSpecial, vocabulary.addsEnd, let id = endOfText { ids.append(id) }
    return ids
  }

  /// The ids of a text between special tokens.
  private func append(_ text: UnsafeRawBufferPointer, to ids: inout [Int32]) {
    switch merging {
    case .scores(let scores):
      var merger = PieceMerger(pieces: pieces, scores: scores)
      merger.merge(text) { append($0, text, to: &ids) }
    case .ranks(let table, let ignoresMerges):
      var merger = BytePairMerger(table: table)
      var symbols: [Int32] = []
      layout.forEachWord(text) { range in
        let word = UnsafeRawBufferPointer(rebasing: text[range])
        if ignoresMerges, case let id = pieces.find(word), id >= 0 {
          ids.append(id)
          return
        }
        symbols.removeAll(keepingCapacity: true)
        appendCharacters(of: word, to: &symbols)
        merger.merge(&symbols)
        ids.append(contentsOf: symbols)
      }
    }
  }

  /// The ids of a word's characters: tokens, or their bytes, or unknown.
  private func appendCharacters(of word: UnsafeRawBufferPointer, to symbols: inout [Int32]) {
    var offset = 0
    var lastIsUnknown = false
    while offset < word.count {
      let length = min(UTF8Boundary.length(lead: word[offset]) ?? 1, word.count - offset)
      let bytes = UnsafeRawBufferPointer(rebasing: word[offset..<offset + length])
      offset += length
      let id = pieces.find(bytes)
      if id >= 0 {
        symbols.append(id)
        lastIsUnknown = false
      } else if bytes.allSatisfy({ byteIds[Int($0)] >= 0 }) {
        for byte in bytes { symbols.append(byteIds[Int(byte)]) }
        lastIsUnknown = false
      } else if let unknown = vocabulary.unknown {
        if !(lastIsUnknown && fusesUnknown) { symbols.append(unknown) }
        lastIsUnknown = true
      }
    }
  }

  /// The id of one piece, or its bytes' ids if it is no token.
  private func append(_ range: Range<Int>, _ text: UnsafeRawBufferPointer, to ids: inout [Int32]) {
    let bytes = UnsafeRawBufferPointer(rebasing: text[range])
    let id = pieces.find(bytes)
    if id >= 0 {
      ids.append(id)
      return
    }
    for byte in bytes {
      if byteIds[Int(byte)] >= 0 {
        ids.append(byteIds[Int(byte)])
      } else if let unknown = vocabulary.unknown {
        // Without byte tokens the whole character is one unknown token.
        ids.append(unknown)
        return
      }
    }
  }

  package func bytes(of id: Int32) -> [UInt8] {
    if let byte = byteValues[id] { return [byte] }
    return vocabulary.isSpecial(id)
      ? Array(pieces[Int(id)]) : PieceLayout.restoringSpaces(pieces[Int(id)])
  }

  package func isSpecial(_ id: Int32) -> Bool { vocabulary.isSpecial(id) }

  package func id(ofToken text: String) -> Int32? {
    if let id = specials[text] { return id }
    let id = pieces.find(Array(text.utf8))
    return id >= 0 ? id : nil
  }

  /// The byte of a token such as `<0x0A>`.
  static func byteValue(_ text: String) -> UInt8? {
    guard text.utf8.count == 6, text.hasPrefix("<0x"), text.hasSuffix(">") else { return nil }
    return UInt8(text.dropFirst(3).dropLast(), radix: 16)
  }
}
