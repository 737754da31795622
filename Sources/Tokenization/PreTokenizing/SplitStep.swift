/// One cut of a pre-tokenizer: a published regular expression, written out by hand. What it matches
/// is a piece, and so is what lies between two matches.
///
/// Each takes time in proportion to the text, whatever the text is: what an alternative has read in
/// vain is read at most a fixed number of times more.
enum SplitStep: Sendable, Equatable {
  /// GPT-2: words, numbers, and the rest, each with a space before; contractions apart.
  case words
  /// GPT-4 and most models after it: contractions in either case, words with any one scalar before,
  /// numbers of so many digits. `marks` count as letters (Qwen 3.5); `takesLineEnds`: punctuation
  /// takes the line ends after it (all but Seed-Coder).
  case foldedWords(digits: Int, marks: Bool, takesLineEnds: Bool)
  /// GPT-4o (o200k) and Tekken: a capital begins a word of its own, and a contraction may belong to
  /// the word before it.
  case casedWords(digits: Int, contractions: Bool)
  /// DeepSeek-V3: words with their marks, or of ASCII letters with ASCII punctuation before. What is
  /// neither word, punctuation, nor white space is left as it is.
  case markedWords
  /// `\p{N}{1,digits}`
  case numbers(digits: Int)
  /// `[\r\n]`
  case lineEnds
  /// `\s+$`
  case trailingSpace
  /// Scalars of a class, with white space before: `\s?\p{L}+`.
  case classRuns(ScalarClass)
  /// Listed scalars, with white space before where `afterSpace` says so: `[...]+` or `\s?[...]+`.
  case listedRuns(ScalarRanges, afterSpace: Bool)

  /// Whether no text is left between matches.
  var matchesEverything: Bool {
    switch self {
    case .words, .foldedWords, .casedWords: true
    case .markedWords, .numbers, .lineEnds, .trailingSpace, .classRuns, .listedRuns: false
    }
  }

  /// Cuts a piece of text, as if there were no other; `body` gets the ends of its parts in order.
  func cut(_ piece: Range<Int>, of text: ScalarText, _ body: (Int) -> Void) {
    var start = piece.lowerBound
    while let match = nextMatch(in: text, from: start, limit: piece.upperBound) {
      if match.lowerBound > start { body(match.lowerBound) }
      body(match.upperBound)
      start = match.upperBound
    }
    if start < piece.upperBound { body(piece.upperBound) }
  }

  private func nextMatch(in text: ScalarText, from start: Int, limit: Int) -> Range<Int>? {
    if case .trailingSpace = self {
      // From the end, since a search from each space on would read a long gap again and again.
      var first = limit
      while first > start, text.isOne(first - 1, of: .space) { first -= 1 }
      return first < limit ? first..<limit : nil
    }
    for index in start..<limit {
      if let end = matchEnd(in: text, at: index, limit: limit) { return index..<end }
    }
    return nil
  }

  /// The end of the match that begins here; there is text here.
  private func matchEnd(in text: ScalarText, at start: Int, limit: Int) -> Int? {
    switch self {
    case .words: return text.wordEnd(from: start, limit: limit)
    case .foldedWords(let digits, let marks, let takesLineEnds):
      return text.foldedWordEnd(
        from: start, limit: limit, digits: digits, marks: marks, takesLineEnds: takesLineEnds)
    case .casedWords(let digits, let contractions):
      return text.casedWordEnd(
        from: start, limit: limit, digits: digits, contractions: contractions)
    case .markedWords: return text.markedWordEnd(from: start, limit: limit)
    case .numbers(let digits):
      guard text.isOne(start, of: .number) else { return nil }
      return text.numberEnd(from: start, limit: limit, digits: digits)
    case .lineEnds: return text.isOne(start, of: .lineEnd) ? start + 1 : nil
    case .trailingSpace: return nil
    case .classRuns(let set):
      return runEnd(in: text, from: start, limit: limit, afterSpace: true) {
        text.isOne($0, of: set)
      }
    case .listedRuns(let set, let afterSpace):
      return runEnd(in: text, from: start, limit: limit, afterSpace: afterSpace) {
        set.contains(text.scalars[$0])
      }
    }
  }

  private func runEnd(
    in text: ScalarText, from start: Int, limit: Int, afterSpace: Bool,
    isMember: (Int) -> Bool
  ) -> Int? {
    var end = start
    // White space may itself be a member, and is then no less than the space before others.
    if afterSpace, text.isOne(start, of: .space), !isMember(start) { end += 1 }
    let first = end
    while end < limit, isMember(end) { end += 1 }
    return end > first ? end : nil
  }
}
