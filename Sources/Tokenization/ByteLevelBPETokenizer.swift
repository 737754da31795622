import Foundation
import ModelFiles

/// Byte-level byte-pair encoding as GPT-2 introduced it (`tokenizer.ggml.model` = `gpt2`): text is
/// cut into words by the pre-tokenizer, and each word's bytes are merged by rank.
package struct ByteLevelBPETokenizer: Tokenizer {
  /// What is done to text between special tokens before it is cut.
  enum Normalizer: Sendable {
    case none
    /// Canonical composition.
    case nfc
  }

  private let vocabulary: Vocabulary
  /// The tokens as raw bytes; only normal ones are found by content.
  private let tokens: ByteStringTable
  private let merges: MergeTable
  /// The id of each byte, -1 where the vocabulary has none; such bytes are dropped, as in
  /// Hugging Face's tokenizers.
  private let byteIds: [Int32]
  private let preTokenizer: PreTokenizer
  /// Whether a word that is a token as it stands is taken whole, without merging.
  private let ignoresMerges: Bool
  private let normalizer: Normalizer
  private let addedTokens: AddedTokenSplitter
  private let specials: [String: Int32]
  package let endTokens: Set<Int32>

  package var vocabularyCount: Int { vocabulary.count }
  package var beginningOfText: Int32? { vocabulary.beginningOfText }
  package var endOfText: Int32? { vocabulary.endOfText }
  package var addsSpacePrefix: Bool { false }

  package init(file: GGUFFile) throws(TokenizerError) {
    let name = file.string("tokenizer.ggml.pre") ?? "gpt-2"
    guard let published = PreTokenizer.published(name) else {
      throw TokenizerError(
        field: "tokenizer.ggml.pre", problem: "pre-tokenizer \"\(name)\" is not supported")
    }
    guard let strings = file.array("tokenizer.ggml.tokens"), strings.elementType == .string
    else { throw TokenizerError(field: "tokenizer.ggml.tokens", problem: "is missing") }
    let vocabulary = try Vocabulary(
      file: file, tokens: strings, addsBeginningByDefault: published.addsBeginning)
    var tokens = ByteStringTable(
      capacity: strings.count, byteCapacity: strings.stringByteCount)
    var special: [(id: Int32, bytes: [UInt8])] = []
    var userDefined: [(id: Int32, bytes: [UInt8])] = []
    var names: [String: Int32] = [:]
    var raw: [UInt8] = []
    try strings.forEachBytes { (index, text) throws(TokenizerError) in
      guard text.count <= Vocabulary.maximumTokenBytes else {
        throw TokenizerError(
          field: "tokenizer.ggml.tokens[\(index)]", problem: "has \(text.count) bytes")
      }
      switch vocabulary.kinds[index] {
      case .normal, .byte, .unused:
        if ByteLevelAlphabet.decode(text, into: &raw) {
          tokens.append(raw)
        } else {
          tokens.append(text)
        }
      case .control, .unknown:
        tokens.append(text, indexed: false)
        special.append((Int32(index), Array(text)))
        names[String(decoding: text, as: UTF8.self)] = Int32(index)
      case .userDefined:
        tokens.append(text, indexed: false)
        userDefined.append((Int32(index), Array(text)))
        names[String(decoding: text, as: UTF8.self)] = Int32(index)
      }
    }
    self.vocabulary = vocabulary
    preTokenizer = published.preTokenizer
    ignoresMerges = published.ignoresMerges
    normalizer = .none
    byteIds = (0..<256).map { tokens.find([UInt8($0)]) }
    merges = try MergeTable(file: file, tokens: tokens, decode: ByteLevelAlphabet.decode)
    self.tokens = tokens
    addedTokens = AddedTokenSplitter(control: special, userDefined: userDefined)
    specials = names
    endTokens = vocabulary.endTokens(file: file) { names[$0] }
  }

  /// Of a checkpoint's `tokenizer.json`.
  init(
    file: JSONField, vocabulary: CheckpointVocabulary, preTokenizer: PreTokenizer,
    normalizer: Normalizer
  ) throws(TokenizerError) {
    let table = vocabulary.table()
    merges = try vocabulary.merges(file: file, table: table)
    var tokens = ByteStringTable(
      capacity: vocabulary.texts.count, byteCapacity: table.arena.count)
    var raw: [UInt8] = []
    var isUserDefined = Set<Int32>()
    for token in vocabulary.added where !token.isSpecial { isUserDefined.insert(token.id) }
    for (id, text) in vocabulary.texts.enumerated() {
      var text = text
      let isFound = vocabulary.isFound[id]
      text.withUTF8 { utf8 in
        let bytes = UnsafeRawBufferPointer(utf8)
        // Added tokens are written as they are; the model's own with stand-ins for bytes.
        if isFound, !isUserDefined.contains(Int32(clamping: id)),
          ByteLevelAlphabet.decode(bytes, into: &raw)
        {
          tokens.append(raw)
        } else {
          tokens.append(bytes, indexed: isFound)
        }
      }
    }
    let unknown = vocabulary.unknown ?? -1
    byteIds = (0..<256).map { byte in
      let id = tokens.find([UInt8(byte)])
      return id >= 0 ? id : unknown
    }
    guard !vocabulary.fusesUnknown || unknown < 0 || !byteIds.contains(unknown) else {
      throw file["model"]["fuse_unk"].error("is not supported where bytes have no token")
    }
    self.tokens = tokens
    self.vocabulary = vocabulary.vocabulary
    self.preTokenizer = preTokenizer
    ignoresMerges = vocabulary.ignoresMerges
    self.normalizer = normalizer
    addedTokens = AddedTokenSplitter(vocabulary.added) { content in
      Self.normalized(Array(content.utf8), by: normalizer)
    }
    specials = Dictionary(vocabulary.added.map { ($0.content, $0.id) }) { $1 }
    endTokens = vocabulary.endTokens
  }

  private static func normalized(_ text: [UInt8], by normalizer: Normalizer) -> [UInt8] {
    guard normalizer == .nfc, text.contains(where: { $0 >= 0x80 }) else { return text }
    return Array(
      String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)
  }

  package func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    var ids: [Int32] = []
    if addSpecial, vocabulary.addsBeginning, let id = beginningOfText { ids.append(id) }
    var merger = BytePairMerger(table: merges)
    var text = text
    text.withUTF8 { utf8 in
      let bytes = UnsafeRawBufferPointer(utf8)
      for piece in addedTokens.beforeNormalizing(withControl: parseSpecial).split(bytes) {
        switch piece {
        case .token(let id): ids.append(id)
        case .text(let range):
          let part = UnsafeRawBufferPointer(rebasing: bytes[range])
          if normalizer == .none, addedTokens.needNoNormalizing {
            appendWords(of: part, &merger, to: &ids)
          } else {
            Self.normalized(Array(part), by: normalizer).withUnsafeBytes { part in
              for piece in addedTokens.afterNormalizing(withControl: parseSpecial).split(part) {
                switch piece {
                case .token(let id): ids.append(id)
                case .text(let range):
                  appendWords(
                    of: UnsafeRawBufferPointer(rebasing: part[range]), &merger, to: &ids)
                }
              }
            }
          }
        }
      }
    }
    if addSpecial, vocabulary.addsEnd, let id = endOfText { ids.append(id) }
    return ids
  }

  private func appendWords(
    of part: UnsafeRawBufferPointer, _ merger: inout BytePairMerger, to ids: inout [Int32]
  ) {
    var symbols: [Int32] = []
    preTokenizer.forEachWord(part) { word in
      let word = UnsafeRawBufferPointer(rebasing: part[word])
      if ignoresMerges, case let id = tokens.find(word), id >= 0 {
        ids.append(id)
        return
      }
      symbols.removeAll(keepingCapacity: true)
      for byte in word where byteIds[Int(byte)] >= 0 { symbols.append(byteIds[Int(byte)]) }
      merger.merge(&symbols)
      ids.append(contentsOf: symbols)
    }
  }

  package func bytes(of id: Int32) -> [UInt8] { Array(tokens[Int(id)]) }

  package func isSpecial(_ id: Int32) -> Bool { vocabulary.isSpecial(id) }

  package func id(ofToken text: String) -> Int32? {
    if let id = specials[text] { return id }
    let id = tokens.find(Array(text.utf8))
    return id >= 0 ? id : nil
  }
}
