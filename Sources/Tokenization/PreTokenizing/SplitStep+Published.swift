/// The steps that models have in common, and the regular expressions that stand for steps in
/// `tokenizer.json` files.
extension SplitStep {
  /// GPT-4, Llama 3.
  static let llama3 = SplitStep.foldedWords(digits: 3, marks: false, takesLineEnds: true)
  /// The same with single digits.
  static let qwen2 = SplitStep.foldedWords(digits: 1, marks: false, takesLineEnds: true)
  static let qwen35 = SplitStep.foldedWords(digits: 1, marks: true, takesLineEnds: true)
  static let seedCoder = SplitStep.foldedWords(digits: 1, marks: false, takesLineEnds: false)
  /// Numbers of any length, which a step before has cut.
  static let miniCPM5 = SplitStep.foldedWords(digits: .max, marks: false, takesLineEnds: true)
  static let o200k = SplitStep.casedWords(digits: 3, contractions: true)
  static let tekken = SplitStep.casedWords(digits: 1, contractions: false)

  /// The step of a regular expression, or nil if it is not known here.
  init?(pattern: String) {
    let spelled = Self.spelled(pattern)
    guard let known = Self.published.first(where: { $0.pattern.utf8.elementsEqual(spelled.utf8) })
    else { return nil }
    self = known.step
  }

  /// Some files have line ends themselves where others have their escapes.
  private static func spelled(_ pattern: String) -> String {
    var text = String.UnicodeScalarView()
    for scalar in pattern.unicodeScalars {
      switch scalar {
      case "\r": text.append(contentsOf: #"\r"#.unicodeScalars)
      case "\n": text.append(contentsOf: #"\n"#.unicodeScalars)
      default: text.append(scalar)
      }
    }
    return String(text)
  }

  // MARK: - Parts of the expressions

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  private static let spaces = #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
  private static let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#

  /// GPT-4's expression with another one for numbers.
  private static func folded(_ number: String) -> String {
    contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + number
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*"# + spaces
  }

  /// GPT-4o's expression with others for what ends words and for numbers.
  private static func cased(_ end: String, _ number: String) -> String {
    let before = #"[^\r\n\p{L}\p{N}]?"#
    return before + upper + "*" + lower + "+" + end + "|" + before + upper + "+" + lower + "*" + end
      + "|" + number + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*"# + spaces
  }

  private static let published: [(pattern: String, step: SplitStep)] = [
    (#"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#, .words),
    (folded(#"\p{N}{1,3}"#), .llama3),
    (folded(#"\p{N}"#), .qwen2),
    (folded(#"\p{N}+"#), .miniCPM5),
    (
      contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"#
        + #"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"# + spaces,
      .qwen35
    ),
    (
      contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+"# + spaces,
      .seedCoder
    ),
    // The same words as Qwen 2's in other terms (Ling, LLaDA).
    (
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"#
        + #"|\s*[\r\n]|\s+(?!\S)|\s+"#,
      .qwen2
    ),
    (cased(contractions + "?", #"\p{N}{1,3}"#), .o200k),
    (cased("", #"\p{N}"#), .tekken),
    (#"\p{N}{1,3}"#, .numbers(digits: 3)),
    (#"\p{N}"#, .numbers(digits: 1)),
    (#"\p{N}+"#, .numbers(digits: .max)),
    (
      ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
        + #"| ?[\p{P}\p{S}]+[\r\n]*"# + spaces,
      .markedWords
    ),
    (#"[\r\n]"#, .lineEnds),
    (#"\s+$"#, .trailingSpace),
    (#"\s?\p{L}+"#, .classRuns(.letter)),
    (#"\s?\p{P}+"#, .classRuns(.punctuation)),
    (ScalarRanges.hanAndKana.pattern + "+", .listedRuns(.hanAndKana, afterSpace: false)),
    (ScalarRanges.hanAndHangul.pattern + "+", .listedRuns(.hanAndHangul, afterSpace: false)),
    (
      #"\s?"# + ScalarRanges.widePunctuation.pattern + "+",
      .listedRuns(.widePunctuation, afterSpace: true)
    ),
    (
      #"\s?"# + ScalarRanges.casedLetters.pattern + "+",
      .listedRuns(.casedLetters, afterSpace: true)
    ),
  ]
}
