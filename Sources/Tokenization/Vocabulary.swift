import ModelFiles

/// What every vocabulary has: kinds of tokens, the special ids, and whether a beginning or
/// end token is wanted.
struct Vocabulary: Sendable {
  let count: Int
  let kinds: [TokenKind]
  let beginningOfText: Int32?
  let endOfText: Int32?
  let unknown: Int32?
  let addsBeginning: Bool
  let addsEnd: Bool

  /// More than any vocabulary known, and few enough for 32-bit tables.
  static let maximumCount = 4_000_000
  static let maximumTokenBytes = 65_536

  /// The ids are those of `kinds`.
  init(
    kinds: [TokenKind], beginningOfText: Int32?, endOfText: Int32?, unknown: Int32?,
    addsBeginning: Bool, addsEnd: Bool
  ) {
    count = kinds.count
    self.kinds = kinds
    self.beginningOfText = beginningOfText
    self.endOfText = endOfText
    self.unknown = unknown
    self.addsBeginning = addsBeginning
    self.addsEnd = addsEnd
  }

  init(file: GGUFFile, tokens: GGUFArray, addsBeginningByDefault: Bool) throws(TokenizerError) {
    let key = "tokenizer.ggml.tokens"
    guard tokens.count > 0, tokens.count <= Self.maximumCount else {
      throw TokenizerError(
        field: "\(key).count", problem: "is \(tokens.count), expected 1 to \(Self.maximumCount)")
    }
    guard tokens.stringByteCount < ByteStringTable.maximumBytes else {
      throw TokenizerError(field: key, problem: "has \(tokens.stringByteCount) bytes of text")
    }
    count = tokens.count
    kinds = try Self.kinds(file, count: tokens.count)
    let count = tokens.count
    func id(_ name: String) throws(TokenizerError) -> Int32? {
      let key = "tokenizer.ggml.\(name)_token_id"
      guard let value = file.int(key) else { return nil }
      guard value >= 0, value < count else {
        throw TokenizerError(field: key, problem: "is \(value), expected 0 to \(count - 1)")
      }
      return Int32(value)
    }
    beginningOfText = try id("bos")
    endOfText = try id("eos")
    unknown = try id("unknown")
    addsBeginning = file.bool("tokenizer.ggml.add_bos_token") ?? addsBeginningByDefault
    addsEnd = file.bool("tokenizer.ggml.add_eos_token") ?? false
  }

  /// The same with these tokens as control tokens, where text could give them, and with a beginning.
  func withControlTokens(_ ids: Set<Int32>) -> Vocabulary {
    var kinds = kinds
    for id in ids where kind(id) == .userDefined { kinds[Int(id)] = .control }
    return Vocabulary(
      kinds: kinds, beginningOfText: beginningOfText, endOfText: endOfText, unknown: unknown,
      addsBeginning: true, addsEnd: addsEnd)
  }

  func kind(_ id: Int32) -> TokenKind? {
    id >= 0 && Int(id) < count ? kinds[Int(id)] : nil
  }

  func isSpecial(_ id: Int32) -> Bool {
    guard let kind = kind(id) else { return true }
    return kind == .control || kind == .unknown
  }

  /// Names that models give to the tokens that end a turn.
  private static let endNames: Set<String> = [
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>",
    "<|end_of_text|>", "<|eot|>", "<EOT>", "_<EOT>",
    "<\u{FF5C}end\u{2581}of\u{2581}sentence\u{FF5C}>",
    "<|return|>", "<|call|>", "<turn|>", "<|tool_response>",
  ]

  /// The tokens at which generation stops, from the metadata and from the well-known names.
  func endTokens(file: GGUFFile, find: (String) -> Int32?) -> Set<Int32> {
    var ids: Set<Int32> = []
    for key in ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
      if let value = file.int(key), value >= 0, value < count { ids.insert(Int32(value)) }
    }
    return endTokens(ids: ids, find: find)
  }

  /// The tokens at which generation stops: those given, the end of text, and the well-known names.
  func endTokens(ids: Set<Int32>, find: (String) -> Int32?) -> Set<Int32> {
    var ids = ids
    if let endOfText { ids.insert(endOfText) }
    for name in Self.endNames {
      if let id = find(name), kind(id) == .control { ids.insert(id) }
    }
    return ids
  }

  private static func kinds(
    _ file: GGUFFile, count: Int
  ) throws(TokenizerError) -> [TokenKind] {
    let key = "tokenizer.ggml.token_type"
    guard file.metadata[key] != nil else { return Array(repeating: .normal, count: count) }
    guard let raw = file.ints(key), raw.count == count else {
      throw TokenizerError(field: key, problem: "expected \(count) integers, one a token")
    }
    var kinds: [TokenKind] = []
    kinds.reserveCapacity(count)
    for (index, value) in raw.enumerated() {
      // 0 is "undefined" and counts as normal.
      guard let kind = value == 0 ? .normal : UInt8(exactly: value).flatMap(TokenKind.init)
      else {
        throw TokenizerError(field: "\(key)[\(index)]", problem: "is \(value), expected 0 to 6")
      }
      kinds.append(kind)
    }
    return kinds
  }
}
