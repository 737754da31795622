/// The tokens of a `tokenizer.json`: the model's own, and those that were added to it.
struct CheckpointVocabulary: Sendable {
  struct Added: Sendable {
    let id: Int32
    let content: String
    /// Whether it is looked for after the text was normalized.
    let isNormalized: Bool
    let isSpecial: Bool
  }

  let vocabulary: Vocabulary
  /// By id; empty where no token has the id.
  private(set) var texts: [String]
  /// Whether merges and look-ups may give the token. Control tokens never come from text.
  let isFound: [Bool]
  let added: [Added]
  let endTokens: Set<Int32>
  /// The token for what has none, in the model's own eyes.
  let unknown: Int32?
  /// Several unknown characters in a row are one token.
  let fusesUnknown: Bool
  /// A word that is a token is taken whole.
  let ignoresMerges: Bool
  let hasByteTokens: Bool

  init(file: JSONField, settings: CheckpointSettings) throws(TokenizerError) {
    let model = file["model"]
    try model["type"].require("BPE")
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] { try model[key].require("") }
    guard model["dropout"].isMissing else { throw model["dropout"].unsupported() }
    fusesUnknown = try model["fuse_unk"].bool() ?? false
    ignoresMerges = try model["ignore_merges"].bool() ?? false
    hasByteTokens = try model["byte_fallback"].bool() ?? false
    added = try Self.added(file)

    guard case .object(let pairs)? = model["vocab"].value else {
      throw model["vocab"].error("is no object of ids by token")
    }
    var own: [(text: String, id: Int)] = []
    own.reserveCapacity(pairs.count)
    var largest = added.reduce(-1) { max($0, Int($1.id)) }
    for pair in pairs {
      guard case .int(let id) = pair.value, (0..<Vocabulary.maximumCount).contains(id),
        pair.key.utf8.count <= Vocabulary.maximumTokenBytes
      else { throw model["vocab"][pair.key].error("is no id below \(Vocabulary.maximumCount)") }
      own.append((pair.key, id))
      largest = max(largest, id)
    }
    // Ids may have gaps, but a file must not ask for much more memory than it has bytes.
    let count = largest + 1
    guard count > 0, count <= 2 * (own.count + added.count) + 1_024 else {
      throw model["vocab"].error(
        "has ids up to \(largest), of which \(own.count + added.count) are used")
    }
    var texts = [String](repeating: "", count: count)
    var kinds = [TokenKind](repeating: .unused, count: count)
    var isFound = [Bool](repeating: false, count: count)
    for token in own {
      guard !isFound[token.id] else {
        throw model["vocab"][token.text].error("has the id \(token.id) of another token")
      }
      texts[token.id] = token.text
      kinds[token.id] =
        hasByteTokens && SentencePieceTokenizer.byteValue(token.text) != nil ? .byte : .normal
      isFound[token.id] = true
    }
    for token in added {
      let id = Int(token.id)
      if isFound[id], !texts[id].utf8.elementsEqual(token.content.utf8) {
        throw file["added_tokens"].error("gives \"\(token.content)\" the id \(id) of another token")
      }
      texts[id] = token.content
      kinds[id] = token.isSpecial ? .control : .userDefined
      if token.isSpecial { isFound[id] = false }
    }

    var names = ByteStringTable(
      capacity: count, byteCapacity: texts.reduce(0) { $0 + $1.utf8.count })
    for text in texts { names.append(Array(text.utf8), indexed: !text.isEmpty) }
    func id(_ text: String?) -> Int32? {
      guard let text, case let id = names.find(Array(text.utf8)), id >= 0 else { return nil }
      return id
    }
    func id(_ field: JSONField) throws(TokenizerError) -> Int32? {
      guard let value = try field.int() else { return nil }
      guard value >= 0, value < count else {
        throw field.error("is \(value), expected 0 to \(count - 1)")
      }
      return Int32(value)
    }
    let unknown = id(try model["unk_token"].string())
    if let unknown, kinds[Int(unknown)] != .control {
      kinds[Int(unknown)] = .unknown
      isFound[Int(unknown)] = false
    }
    self.unknown = unknown
    self.texts = texts
    self.isFound = isFound

    let template = try CheckpointPostProcessor(file: file) { id($0) }
    var ends: Set<Int32> = []
    var firstEnd: Int32?
    for field in try settings.endIDs.itemsOrSelf() {
      guard let value = try id(field) else { continue }
      ends.insert(value)
      firstEnd = firstEnd ?? value
    }
    var beginning = template.beginning ?? id(settings.beginning)
    if beginning == nil { beginning = try id(settings.beginningID) }
    vocabulary = Vocabulary(
      kinds: kinds,
      beginningOfText: beginning,
      endOfText: id(settings.end) ?? template.end ?? firstEnd,
      unknown: unknown ?? id(settings.unknown),
      addsBeginning: settings.addsBeginning ?? (template.beginning != nil),
      addsEnd: settings.addsEnd ?? (template.end != nil))
    endTokens = vocabulary.endTokens(ids: ends) { id($0) }
  }

  private static func added(_ file: JSONField) throws(TokenizerError) -> [Added] {
    var added: [Added] = []
    for field in try file["added_tokens"].items() {
      for key in ["single_word", "lstrip", "rstrip"] { try field[key].require(false) }
      let content = try field["content"].requiredString()
      guard let id = try field["id"].int(), (0..<Vocabulary.maximumCount).contains(id) else {
        throw field["id"].error("is no id below \(Vocabulary.maximumCount)")
      }
      guard !content.isEmpty, content.utf8.count <= Vocabulary.maximumTokenBytes else {
        throw field["content"].error("has \(content.utf8.count) bytes")
      }
      let isSpecial = try field["special"].bool() ?? false
      added.append(
        Added(
          id: Int32(id), content: content,
          isNormalized: try field["normalized"].bool() ?? !isSpecial, isSpecial: isSpecial))
    }
    return added
  }

  // MARK: - Tables

  /// Gives added tokens that are looked for in normalized text the text that they are found by, so
  /// that decoding gives back the space in front of them.
  mutating func normalizeTexts(_ normalize: (String) -> [UInt8]) {
    for token in added where token.isNormalized && !token.isSpecial {
      guard !isFound[Int(token.id)] else { continue }
      texts[Int(token.id)] = String(decoding: normalize(token.content), as: UTF8.self)
    }
  }

  /// The tokens as they stand in the file, found by content where text may give them.
  func table() -> ByteStringTable {
    var table = ByteStringTable(
      capacity: texts.count, byteCapacity: texts.reduce(0) { $0 + $1.utf8.count })
    for (text, isFound) in zip(texts, isFound) { table.append(Array(text.utf8), indexed: isFound) }
    return table
  }

  /// The merges, each "a b" or ["a", "b"]. Those with a control token are left out: text must not
  /// become one.
  func merges(file: JSONField, table: ByteStringTable) throws(TokenizerError) -> MergeTable {
    let field = file["model"]["merges"]
    guard case .array(let items)? = field.value else { throw field.error("is no array") }
    guard items.count <= Vocabulary.maximumCount else {
      throw field.error("has \(items.count) items, expected at most \(Vocabulary.maximumCount)")
    }
    var result = MergeTable(capacity: items.count)
    let controls = Set(
      zip(texts, isFound).lazy.filter { !$1 && !$0.isEmpty }.map { Array($0.0.utf8) })
    for (index, item) in items.enumerated() {
      var pair: (left: [UInt8], right: [UInt8])?
      switch item {
      case .string(let text):
        // Neither half is empty, so the space that parts them is not the first byte.
        let bytes = Array(text.utf8)
        if let space = bytes.dropFirst().firstIndex(of: 0x20) {
          pair = (Array(bytes[..<space]), Array(bytes[(space + 1)...]))
        }
      case .array(let halves):
        if halves.count == 2, case .string(let left) = halves[0],
          case .string(let right) = halves[1]
        {
          pair = (Array(left.utf8), Array(right.utf8))
        }
      default: break
      }
      guard let pair, !pair.left.isEmpty, !pair.right.isEmpty else {
        throw field[index].error("is not two tokens")
      }
      let merged = pair.left + pair.right
      let ids = [pair.left, pair.right, merged].map { table.find($0) }
      guard ids.allSatisfy({ $0 >= 0 }) else {
        if [pair.left, pair.right, merged].contains(where: controls.contains) { continue }
        throw field[index].error("has a part or a result that is no token")
      }
      result.insert(ids[0], ids[1], .init(rank: Int32(clamping: index), merged: ids[2]))
    }
    return result
  }
}
