/// What several patterns have in common.
extension ScalarText {
  /// Whether a scalar is of one of the classes.
  func isOne(_ index: Int, of set: ScalarClass) -> Bool { !classes[index].isDisjoint(with: set) }

  /// The end of the scalars of these classes that begin here. Scalars from `limit` on do not exist
  /// for the pattern.
  func runEnd(of set: ScalarClass, from start: Int, limit: Int) -> Int {
    var end = start
    while end < limit, isOne(end, of: set) { end += 1 }
    return end
  }

  /// The end of the scalars of none of these classes that begin here.
  func runEnd(outside set: ScalarClass, from start: Int, limit: Int) -> Int {
    var end = start
    while end < limit, !isOne(end, of: set) { end += 1 }
    return end
  }

  /// `\p{N}{1,digits}` where a number is.
  func numberEnd(from start: Int, limit: Int, digits: Int) -> Int {
    runEnd(of: .number, from: start, limit: limit - start < digits ? limit : start + digits)
  }

  /// The place after an ordinary space, which joins the word that follows it; or the same place.
  func afterSpace(_ start: Int, limit: Int) -> Int {
    scalars[start] == 0x20 && start + 1 < limit ? start + 1 : start
  }

  /// `\s+(?!\S)|\s+` where white space is: the last space before a word is left to the word, unless
  /// it is the only one.
  func spaceEnd(from start: Int, limit: Int) -> Int {
    let end = runEnd(of: .space, from: start, limit: limit)
    return end < limit && end - start > 1 ? end - 1 : end
  }

  /// `\s*[\r\n]+|\s+(?!\S)|\s+` where white space is: up to and with its last line end, else as
  /// `spaceEnd` has it.
  func spaceEndAfterLines(from start: Int, limit: Int) -> Int {
    let end = runEnd(of: .space, from: start, limit: limit)
    if let last = (start..<end).last(where: { isOne($0, of: .lineEnd) }) { return last + 1 }
    return spaceEnd(from: start, limit: limit)
  }

  /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at this place.
  func contractionEnd(from start: Int, limit: Int, ignoringCase: Bool) -> Int? {
    guard start + 1 < limit, scalars[start] == 0x27 else { return nil }
    switch folded(start + 1, ignoringCase) {
    case 0x73, 0x74, 0x6D, 0x64: return start + 2  // s t m d
    case 0x72, 0x76:  // r v
      return start + 2 < limit && folded(start + 2, ignoringCase) == 0x65 ? start + 3 : nil
    case 0x6C:  // l
      return start + 2 < limit && folded(start + 2, ignoringCase) == 0x6C ? start + 3 : nil
    default: return nil
    }
  }

  private func folded(_ index: Int, _ ignoringCase: Bool) -> UInt32 {
    let scalar = scalars[index]
    guard ignoringCase else { return scalar }
    // The long s folds to s, as in every Unicode regular expression engine.
    if scalar == 0x17F { return 0x73 }
    return (0x41...0x5A).contains(scalar) ? scalar + 32 : scalar
  }
}

/// The patterns that cut a whole text into words.
extension ScalarText {
  /// GPT-2's; see `SplitStep.words`.
  func wordEnd(from start: Int, limit: Int) -> Int {
    if let end = contractionEnd(from: start, limit: limit, ignoringCase: false) { return end }
    let first = afterSpace(start, limit: limit)
    for kind in [ScalarClass.letter, .number] where isOne(first, of: kind) {
      return runEnd(of: kind, from: first, limit: limit)
    }
    if !isOne(first, of: .space) {
      return runEnd(outside: [.space, .letter, .number], from: first, limit: limit)
    }
    return spaceEnd(from: start, limit: limit)
  }

  /// GPT-4's and its variants'; see `SplitStep.foldedWords`.
  func foldedWordEnd(
    from start: Int, limit: Int, digits: Int, marks: Bool, takesLineEnds: Bool
  ) -> Int {
    if let end = contractionEnd(from: start, limit: limit, ignoringCase: true) { return end }
    let letters: ScalarClass = marks ? [.letter, .mark] : .letter
    if isOne(start, of: letters) { return runEnd(of: letters, from: start, limit: limit) }
    if isOne(start, of: .number) { return numberEnd(from: start, limit: limit, digits: digits) }
    // One scalar that is no letter, number or line end goes with the letters after it.
    if !isOne(start, of: .lineEnd), start + 1 < limit, isOne(start + 1, of: letters) {
      return runEnd(of: letters, from: start + 1, limit: limit)
    }
    let first = afterSpace(start, limit: limit)
    if !isOne(first, of: letters.union([.space, .number])) {
      let end = runEnd(outside: letters.union([.space, .number]), from: first, limit: limit)
      return takesLineEnds ? runEnd(of: .lineEnd, from: end, limit: limit) : end
    }
    return spaceEndAfterLines(from: start, limit: limit)
  }

  /// DeepSeek-V3's, which leaves out numbers and controls; see `SplitStep.markedWords`.
  func markedWordEnd(from start: Int, limit: Int) -> Int? {
    let isASCII = scalars[start] < 0x80
    let next = start + 1
    if isASCII, isOne(start, of: [.punctuation, .symbol]), next < limit, isASCIILetter(next) {
      var end = next
      while end < limit, isASCIILetter(end) { end += 1 }
      return end
    }
    let letters: ScalarClass = [.letter, .mark]
    if isOne(start, of: letters) { return runEnd(of: letters, from: start, limit: limit) }
    if !isOne(start, of: [.lineEnd, .punctuation, .symbol]), next < limit,
      isOne(next, of: letters)
    {
      return runEnd(of: letters, from: next, limit: limit)
    }
    let first = afterSpace(start, limit: limit)
    if isOne(first, of: [.punctuation, .symbol]) {
      let end = runEnd(of: [.punctuation, .symbol], from: first, limit: limit)
      return runEnd(of: .lineEnd, from: end, limit: limit)
    }
    return isOne(start, of: .space) ? spaceEndAfterLines(from: start, limit: limit) : nil
  }

  private func isASCIILetter(_ index: Int) -> Bool {
    scalars[index] < 0x80 && isOne(index, of: .letter)
  }
}
