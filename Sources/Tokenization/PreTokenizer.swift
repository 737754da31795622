/// How text is cut into words before byte-pair merges, which never cross a word's edge. Each case
/// is one of the published regular expressions, written out by hand.
package enum PreTokenizer: Sendable, CaseIterable {
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  case gpt2
  /// Every digit on its own, then GPT-2's pattern between them.
  case smollm
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*`
  /// `|\s*[\r\n]+|\s+(?!\S)|\s+`
  case llama3
  /// Llama 3's pattern with single digits.
  case qwen2

  /// The pre-tokenizer for a file's `tokenizer.ggml.pre`, or nil if it is not known here.
  package init?(name: String) {
    switch name {
    case "gpt-2", "gpt2", "mpt", "olmo", "jais", "roberta-bpe": self = .gpt2
    case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
      self = .smollm
    case "llama3", "llama-v3", "llama-bpe", "falcon3", "dbrx", "smaug-bpe": self = .llama3
    case "qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez": self = .qwen2
    default: return nil
    }
  }

  /// The pre-tokenizer of a regular expression, or nil if it is not known here.
  init?(pattern: String) {
    guard let known = Self.patterns.first(where: { $0.pattern.utf8.elementsEqual(pattern.utf8) })
    else { return nil }
    self = known.preTokenizer
  }

  /// The regular expressions as `tokenizer.json` files write them.
  private static let patterns: [(pattern: String, preTokenizer: PreTokenizer)] = [
    (
      #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
      .gpt2
    ),
    (
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"#
        + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
      .llama3
    ),
    (
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"#
        + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
      .qwen2
    ),
  ]

  /// Whether a word that is a token as it stands is taken whole, without merging.
  var ignoresMerges: Bool { self == .llama3 }

  /// Calls the body with the byte range of every word, in order; together they cover the text.
  func forEachWord(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    let scalars = ScalarText(text)
    let offsets = scalars.offsets
    var start = 0
    func emit(to end: Int) {
      body(offsets[start]..<offsets[end])
      start = end
    }
    switch self {
    case .gpt2:
      while start < scalars.count {
        emit(to: scalars.gpt2WordEnd(from: start, limit: scalars.count))
      }
    case .smollm:
      while start < scalars.count {
        if scalars.classes[start] == .number {
          emit(to: start + 1)
          continue
        }
        // The pattern sees only the part up to the next digit, as if the text ended there.
        let limit =
          scalars.classes[start...].firstIndex(of: .number) ?? scalars.count
        while start < limit { emit(to: scalars.gpt2WordEnd(from: start, limit: limit)) }
      }
    case .llama3:
      while start < scalars.count { emit(to: scalars.llama3WordEnd(from: start, digits: 3)) }
    case .qwen2:
      while start < scalars.count { emit(to: scalars.llama3WordEnd(from: start, digits: 1)) }
    }
  }

  /// The byte lengths of the words.
  package func wordLengths(_ text: String) -> [Int] {
    var lengths: [Int] = []
    var text = text
    text.withUTF8 { forEachWord(UnsafeRawBufferPointer($0)) { lengths.append($0.count) } }
    return lengths
  }
}
