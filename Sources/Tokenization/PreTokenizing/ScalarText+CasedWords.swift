/// The patterns that end a word where its case says so; see `SplitStep.casedWords`.
extension ScalarText {
  /// What stands before small letters: capitals, and letters and marks without case.
  private static let leading: ScalarClass = [.uppercase, .uncased, .mark]
  /// What a word ends with: small letters, and letters and marks without case.
  private static let trailing: ScalarClass = [.lowercase, .uncased, .mark]

  func casedWordEnd(from start: Int, limit: Int, digits: Int, contractions: Bool) -> Int {
    if let end = casedLettersEnd(from: start, limit: limit) {
      guard contractions else { return end }
      return contractionEnd(from: end, limit: limit, ignoringCase: true) ?? end
    }
    if isOne(start, of: .number) { return numberEnd(from: start, limit: limit, digits: digits) }
    let first = afterSpace(start, limit: limit)
    if !isOne(first, of: [.space, .letter, .number]) {
      var end = runEnd(outside: [.space, .letter, .number], from: first, limit: limit)
      while end < limit, isOne(end, of: .lineEnd) || scalars[end] == 0x2F { end += 1 }
      return end
    }
    return spaceEndAfterLines(from: start, limit: limit)
  }

  /// Letters, with one scalar before them that is no letter, number or line end.
  private func casedLettersEnd(from start: Int, limit: Int) -> Int? {
    let takesFirst = !isOne(start, of: [.lineEnd, .letter, .number])
    let first = takesFirst ? start + 1 : start
    let end = runEnd(of: Self.leading, from: first, limit: limit)
    // The first alternative: `leading*trailing+`.
    if end < limit, isOne(end, of: Self.trailing) {
      return runEnd(of: Self.trailing, from: end, limit: limit)
    }
    // Without a small letter, it gives back what it took until one without case is the last.
    if let last = (first..<max(first, end)).last(where: { isOne($0, of: Self.trailing) }) {
      return last + 1
    }
    // A mark need not go with what follows it.
    if isOne(start, of: .mark) { return start + 1 }
    // The second: `leading+trailing*`, of which nothing trails here.
    return end > first ? end : nil
  }
}
