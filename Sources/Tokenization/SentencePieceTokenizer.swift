import ModelFiles

/// SentencePiece's byte-pair model (`tokenizer.ggml.model` = `llama`): neighbours whose text is a
/// token are joined, the highest score first; characters that are no token become bytes.
///
/// Spaces are written as U+2581 in the vocabulary. Llama 2 puts one before the text, Gemma does
/// not. User-defined tokens (runs of spaces, HTML tags) are cut out before anything is joined.
package struct SentencePieceTokenizer: Tokenizer {
  private let vocabulary: Vocabulary
  /// The tokens as they stand in the file; control tokens are not found by content.
  private let pieces: ByteStringTable
  private let scores: [Float]
  /// The ids of the 256 byte tokens, or -1.
  private let byteIds: [Int32]
  /// The byte that each byte token stands for.
  private let byteValues: [Int32: UInt8]
  private let controlAndUserDefined: SpecialTokenSplitter
  private let userDefined: SpecialTokenSplitter
  private let specials: [String: Int32]
  package let addsSpacePrefix: Bool
  package let endTokens: Set<Int32>

  package var vocabularyCount: Int { vocabulary.count }
  package var beginningOfText: Int32? { vocabulary.beginningOfText }
  package var endOfText: Int32? { vocabulary.endOfText }

  /// U+2581 in UTF-8.
  private static let space: [UInt8] = [0xE2, 0x96, 0x81]

  package init(file: GGUFFile) throws(TokenizerError) {
    guard let strings = file.array("tokenizer.ggml.tokens"), strings.elementType == .string
    else { throw TokenizerError(field: "tokenizer.ggml.tokens", problem: "is missing") }
    let vocabulary = try Vocabulary(file: file, tokens: strings, addsBeginningByDefault: true)
    guard let scores = file.floats("tokenizer.ggml.scores"), scores.count == strings.count else {
      throw TokenizerError(
        field: "tokenizer.ggml.scores", problem: "expected \(strings.count) floats, one a token")
    }
    if let index = scores.firstIndex(where: { !$0.isFinite }) {
      throw TokenizerError(
        field: "tokenizer.ggml.scores[\(index)]", problem: "is \(scores[index])")
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
        guard let byte = Self.byteValue(text) else {
          throw TokenizerError(
            field: "tokenizer.ggml.tokens[\(index)]", problem: "is no byte token like <0x0A>")
        }
        byteIds[Int(byte)] = id
        byteValues[id] = byte
      case .control, .unknown:
        pieces.append(text, indexed: false)
        special.append((id, Self.escapingSpaces(text)))
        names[String(decoding: text, as: UTF8.self)] = id
      case .userDefined:
        pieces.append(text, indexed: false)
        userDefined.append((id, Self.escapingSpaces(text)))
        names[String(decoding: text, as: UTF8.self)] = id
      }
    }
    self.vocabulary = vocabulary
    self.pieces = pieces
    self.scores = scores
    self.byteIds = byteIds
    self.byteValues = byteValues
    controlAndUserDefined = SpecialTokenSplitter(special + userDefined)
    self.userDefined = SpecialTokenSplitter(userDefined)
    specials = names
    addsSpacePrefix = file.bool("tokenizer.ggml.add_space_prefix") ?? true
    endTokens = vocabulary.endTokens(file: file) { names[$0] }
  }

  package func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    var ids: [Int32] = []
    if addSpecial, vocabulary.addsBeginning, let id = beginningOfText { ids.append(id) }
    var merger = PieceMerger(pieces: pieces, scores: scores)
    var prefixed: [UInt8] = []
    var afterSpecial = true
    var text = text
    // Spaces are escaped before user-defined tokens are looked for, so that U+2581 written out in
    // the text counts as a space there too, as it does in SentencePiece.
    let escaped = text.withUTF8 { Self.escapingSpaces(UnsafeRawBufferPointer($0)) }
    let splitter = parseSpecial ? controlAndUserDefined : userDefined
    escaped.withUnsafeBytes { bytes in
      for piece in splitter.split(bytes) {
        switch piece {
        case .token(let id):
          ids.append(id)
          afterSpecial = true
        case .text(let range):
          let part = UnsafeRawBufferPointer(rebasing: bytes[range])
          if addsSpacePrefix, afterSpecial {
            prefixed = Self.space + part
            prefixed.withUnsafeBytes { part in
              merger.merge(part) { append($0, part, to: &ids) }
            }
          } else {
            merger.merge(part) { append($0, part, to: &ids) }
          }
          afterSpecial = false
        }
      }
    }
    if addSpecial, vocabulary.addsEnd, let id = endOfText { ids.append(id) }
    return ids
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
    return vocabulary.isSpecial(id) ? Array(pieces[Int(id)]) : Self.restoringSpaces(pieces[Int(id)])
  }

  package func isSpecial(_ id: Int32) -> Bool { vocabulary.isSpecial(id) }

  package func id(ofToken text: String) -> Int32? {
    if let id = specials[text] { return id }
    let id = pieces.find(Array(text.utf8))
    return id >= 0 ? id : nil
  }

  private static func escapingSpaces(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 2)
    for byte in text {
      if byte == 0x20 { result += space } else { result.append(byte) }
    }
    return result
  }

  private static func restoringSpaces(_ piece: ArraySlice<UInt8>) -> [UInt8] {
    guard piece.contains(0xE2) else { return Array(piece) }
    var result: [UInt8] = []
    var rest = piece
    while let first = rest.first {
      if rest.starts(with: space) {
        result.append(0x20)
        rest = rest.dropFirst(3)
      } else {
        result.append(first)
        rest = rest.dropFirst()
      }
    }
    return result
  }

  /// The byte of a token such as `<0x0A>`.
  private static func byteValue(_ text: UnsafeRawBufferPointer) -> UInt8? {
    let text = String(decoding: text, as: UTF8.self)
    guard text.utf8.count == 6, text.hasPrefix("<0x"), text.hasSuffix(">") else { return nil }
    return UInt8(text.dropFirst(3).dropLast(), radix: 16)
  }
}
