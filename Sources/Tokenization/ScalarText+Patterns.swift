extension ScalarText {
  /// The end of the match of GPT-2's pattern that starts here. Scalars from `limit` on do not
  /// exist for the pattern.
  func gpt2WordEnd(from start: Int, limit: Int) -> Int {
    if let end = contractionEnd(from: start, limit: limit, ignoringCase: false) { return end }
    // An ordinary space joins the word after it.
    let first = scalars[start] == 0x20 && start + 1 < limit ? start + 1 : start
    if classes[first] != .space { return runEnd(of: classes[first], from: first, limit: limit) }
    return whitespaceEnd(from: start, limit: limit)
  }

  /// The end of the match of Llama 3's pattern that starts here, with up to `digits` digits a
  /// number.
  func llama3WordEnd(from start: Int, digits: Int) -> Int {
    let limit = count
    if let end = contractionEnd(from: start, limit: limit, ignoringCase: true) { return end }
    // Letters, with one scalar before them that is no letter, number or line end.
    switch classes[start] {
    case .letter: return runEnd(of: .letter, from: start, limit: limit)
    case .number:
      var end = start + 1
      while end < limit, end - start < digits, classes[end] == .number { end += 1 }
      return end
    case .space, .other:
      if !isLineEnd(start), start + 1 < limit, classes[start + 1] == .letter {
        return runEnd(of: .letter, from: start + 1, limit: limit)
      }
    }
    // Punctuation and the rest, with a space before and line ends after.
    let first = scalars[start] == 0x20 && start + 1 < limit ? start + 1 : start
    if classes[first] == .other {
      var end = runEnd(of: .other, from: first, limit: limit)
      while end < limit, isLineEnd(end) { end += 1 }
      return end
    }
    // White space up to and with its last line end, else as in GPT-2's pattern.
    let end = runEnd(of: .space, from: start, limit: limit)
    if let last = (start..<end).last(where: isLineEnd) { return last + 1 }
    return whitespaceEnd(from: start, limit: limit)
  }

  /// `\s+(?!\S)|\s+`: the last space before a word is left to the word, unless it is the only one.
  private func whitespaceEnd(from start: Int, limit: Int) -> Int {
    let end = runEnd(of: .space, from: start, limit: limit)
    return end < limit && end - start > 1 ? end - 1 : end
  }

  private func runEnd(of kind: ScalarClass, from start: Int, limit: Int) -> Int {
    var end = start
    while end < limit, classes[end] == kind { end += 1 }
    return end
  }

  private func isLineEnd(_ index: Int) -> Bool {
    scalars[index] == 0x0A || scalars[index] == 0x0D
  }

  /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at this place.
  private func contractionEnd(from start: Int, limit: Int, ignoringCase: Bool) -> Int? {
    guard scalars[start] == 0x27, start + 1 < limit else { return nil }
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
