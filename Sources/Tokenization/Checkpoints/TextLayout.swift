/// What a `tokenizer.json` does to text before pairs are merged: its `normalizer` and its
/// `pre_tokenizer`, as one of the two kinds that are known here.
enum TextLayout: Sendable {
  /// Words of bytes, GPT-2's way.
  case byteLevel(PreTokenizer, normalizer: ByteLevelBPETokenizer.Normalizer)
  /// Pieces of characters with U+2581 for spaces, SentencePiece's way.
  case pieces(PieceLayout)

  init(file: JSONField) throws(TokenizerError) {
    let normalizers = try Self.steps(file["normalizer"], list: "normalizers")
    let preTokenizers = try Self.steps(file["pre_tokenizer"], list: "pretokenizers")
    for step in preTokenizers where try step["type"].string() == "ByteLevel" {
      self = .byteLevel(
        try Self.preTokenizer(preTokenizers), normalizer: try Self.normalizer(normalizers))
      return
    }
    self = .pieces(try Self.layout(normalizers, preTokenizers))
  }

  /// No known file has half of these. Each step reads the whole text once more.
  static let maximumStepCount = 16

  /// The steps of a `Sequence`, or the step itself; none where the field is missing.
  static func steps(_ field: JSONField, list: String) throws(TokenizerError) -> [JSONField] {
    if field.isMissing { return [] }
    guard try field["type"].requiredString() == "Sequence" else { return [field] }
    var steps: [JSONField] = []
    for item in try field[list].items() {
      steps += try Self.steps(item, list: list)
      guard steps.count <= maximumStepCount else {
        throw field[list].error("has more than \(maximumStepCount) steps")
      }
    }
    return steps
  }

  // MARK: - Byte-level

  private static func normalizer(
    _ steps: [JSONField]
  ) throws(TokenizerError) -> ByteLevelBPETokenizer.Normalizer {
    var normalizer = ByteLevelBPETokenizer.Normalizer.none
    for step in steps {
      guard try step["type"].requiredString() == "NFC" else { throw step["type"].unsupported() }
      normalizer = .nfc
    }
    return normalizer
  }

  private static func preTokenizer(_ steps: [JSONField]) throws(TokenizerError) -> PreTokenizer {
    var splits: [SplitStep] = []
    for (index, step) in steps.enumerated() {
      switch try step["type"].requiredString() {
      case "Digits":
        let isIndividual = try step["individual_digits"].bool() ?? false
        splits.append(.numbers(digits: isIndividual ? 1 : .max))
      case "Split":
        let split = try split(step)
        // The expression's `$` also matches before each line end within a piece, ours only at the
        // piece's end: they are the same where line ends are pieces of their own.
        guard split != .trailingSpace || splits.contains(.lineEnds) else {
          throw step["pattern"]["Regex"].error("needs a step before it that cuts at line ends")
        }
        splits.append(split)
      case "ByteLevel":
        guard index == steps.count - 1 else { throw step["type"].unsupported() }
        try step["add_prefix_space"].require(false)
        if try step["use_regex"].bool() ?? true { splits.append(.words) }
      default: throw step["type"].unsupported()
      }
    }
    guard !splits.isEmpty else {
      throw (steps.last ?? steps[0])["use_regex"].error("leaves no pattern that cuts words")
    }
    return PreTokenizer(splits)
  }

  private static func split(_ step: JSONField) throws(TokenizerError) -> SplitStep {
    let field = step["pattern"]["Regex"]
    guard let split = SplitStep(pattern: try field.requiredString()) else {
      throw field.unsupported()
    }
    // To keep what matches apart from the rest, or to take away what does not match, which is only
    // the same where there is nothing of it.
    let removes = try step["behavior"].requiredString() == "Removed"
    guard !removes || split.matchesEverything else { throw step["behavior"].unsupported() }
    if !removes { try step["behavior"].require("Isolated") }
    try step["invert"].require(removes)
    return split
  }

  // MARK: - Pieces

  private static func layout(
    _ normalizers: [JSONField], _ preTokenizers: [JSONField]
  ) throws(TokenizerError) -> PieceLayout {
    var layout = PieceLayout(normalizerEscapes: false, wordPrefix: .none)
    for step in normalizers {
      switch try step["type"].requiredString() {
      case "Prepend":
        guard !layout.normalizerEscapes else { throw step["type"].unsupported() }
        try step["prepend"].require(PieceLayout.space)
        layout.normalizerPrepends = true
      case "Replace":
        try step["pattern"]["String"].require(" ")
        guard !step["pattern"]["String"].isMissing else { throw step["pattern"].unsupported() }
        try step["content"].require(PieceLayout.space)
        layout.normalizerEscapes = true
      default: throw step["type"].unsupported()
      }
    }
    for step in preTokenizers {
      switch try step["type"].requiredString() {
      case "Metaspace" where preTokenizers.count == 1:
        try step["replacement"].require(PieceLayout.space)
        layout.wordEscapes = true
        layout.wordPrefix = try prefix(step)
        layout.splitsWords = try step["split"].bool() ?? true
      case "Split" where layout.normalizerEscapes:
        // Gemma's: it cuts at spaces, of which the normalizer has left none.
        try step["pattern"]["String"].require(" ")
        guard !step["pattern"]["String"].isMissing else { throw step["pattern"].unsupported() }
      default: throw step["type"].unsupported()
      }
    }
    return layout
  }

  /// What a `Metaspace` step puts in front of words; files of old have `add_prefix_space`.
  private static func prefix(_ step: JSONField) throws(TokenizerError) -> PieceLayout.Prefix {
    guard let scheme = try step["prepend_scheme"].string() else {
      return try step["add_prefix_space"].bool() ?? true ? .unlessThere : .none
    }
    switch scheme {
    case "always": return .unlessThere
    case "first": return .firstUnlessThere
    case "never": return .none
    default: throw step["prepend_scheme"].unsupported()
    }
  }

  // MARK: - Decoding

  /// Whether decoding drops the space that a text begins with.
  static func dropsFirstSpace(_ file: JSONField) throws(TokenizerError) -> Bool {
    for step in try steps(file["decoder"], list: "decoders") {
      switch try step["type"].requiredString() {
      case "Strip":
        try step["content"].require(" ")
        if try step["start"].int() ?? 0 > 0 { return true }
      case "Metaspace": return try prefix(step) != .none
      default: continue
      }
    }
    return false
  }
}
