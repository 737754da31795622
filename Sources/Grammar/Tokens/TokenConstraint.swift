/// Which tokens may come next, so that an answer is a text of a grammar.
///
/// A model whose next token keeps to the format anyway, and most do, pays for reading that token's bytes. Only
/// for one that does not is the vocabulary walked through, and what came of it is kept by the automaton's state.
///
/// Belongs to one answer, and is used by one thread at a time.
package final class TokenConstraint: @unchecked Sendable {
  private let automaton: GrammarAutomaton
  private let table: TokenTable
  private var state: GrammarAutomaton.StateID
  private var hasEnded = false
  /// Tokens that may follow a state, a bit each. // (vocabularyCount / 64)
  private var masks: [GrammarAutomaton.StateID: [UInt64]] = [:]

  private static let masksKept = 128

  package init(_ grammar: Grammar, _ table: TokenTable) throws(GrammarError) {
    automaton = GrammarAutomaton(grammar)
    self.table = table
    state = try automaton.start()
    guard state != GrammarAutomaton.dead else { throw .noTokenFits }
  }

  /// Whether the text is whole and nothing can follow it.
  package var isComplete: Bool {
    hasEnded || (automaton.isAccepting(state) && automaton.isFinal(state))
  }

  /// Goes on by a token, where the text may go on so; else nothing changes and it gives false.
  ///
  /// - Parameter isFirst: Whether it is the first that is tried in its place: how much work a place may cost is bounded.
  package func take(_ token: Int32, isFirst: Bool = true) throws(GrammarError) -> Bool {
    guard !hasEnded else { return false }
    try prepare(isFirst: isFirst)
    if table.endTokens.contains(token) {
      hasEnded = automaton.isAccepting(state)
      return hasEnded
    }
    guard let text = table.text(of: token) else { return false }
    return try advance(text)
  }

  /// The same of bytes that no single token is made of.
  package func take(_ bytes: [UInt8]) throws(GrammarError) -> Bool {
    guard !hasEnded else { return false }
    try prepare(isFirst: true)
    return try advance(bytes)
  }

  private func advance(_ bytes: some Sequence<UInt8>) throws(GrammarError) -> Bool {
    var next = state
    for byte in bytes {
      next = try automaton.next(next, byte)
      if next == GrammarAutomaton.dead { return false }
    }
    state = next
    return true
  }

  /// Makes the answer's end impossible where the text so far is not whole, whatever else may follow.
  ///
  /// - Parameter ends: Whether one of the vocabulary's end tokens ends the answer.
  package func forbidEnd(
    _ logits: UnsafeMutableBufferPointer<Float>, where ends: (Int32) -> Bool
  ) {
    guard !hasEnded, !automaton.isAccepting(state) else { return }
    for token in table.endTokens where token >= 0 && Int(token) < logits.count && ends(token) {
      logits[Int(token)] = -.infinity
    }
  }

  /// Makes all tokens impossible that can't follow. // logits: (vocabulary)
  ///
  /// - Parameter isFirst: As of ``take(_:isFirst:)``.
  package func mask(
    _ logits: UnsafeMutableBufferPointer<Float>, isFirst: Bool = true
  ) throws(GrammarError) {
    let allowed = try mask(isFirst: isFirst)
    var isEmpty = true
    // A tokenizer may know more tokens than the model has numbers for.
    for (word, bits) in allowed.enumerated() where word << 6 < logits.count {
      let present = min(logits.count - word << 6, 64)
      if bits & (UInt64.max >> UInt64(64 - present)) != 0 { isEmpty = false }
      if bits == .max { continue }
      for index in (word << 6)..<min(word << 6 + 64, logits.count)
      where bits >> UInt64(index & 63) & 1 == 0 {
        logits[index] = -.infinity
      }
    }
    // Ids that no vocabulary has, where a model's output is wider.
    for index in min(allowed.count << 6, logits.count)..<logits.count { logits[index] = -.infinity }
    if isEmpty { throw .noTokenFits }
  }

  /// The tokens that may follow, a bit each.
  private func mask(isFirst: Bool) throws(GrammarError) -> [UInt64] {
    if hasEnded { return [UInt64](repeating: 0, count: (table.vocabularyCount + 63) / 64) }
    try prepare(isFirst: isFirst)
    if let known = masks[state] { return known }
    if masks.count >= Self.masksKept { masks = [:] }
    let mask = try walk()
    masks[state] = mask
    return mask
  }

  /// What holds before each look: most formats have some hundred states; of one with many more only the present is
  /// kept.
  private func prepare(isFirst: Bool) throws(GrammarError) {
    if isFirst { automaton.beginToken() }
    guard automaton.isFull else { return }
    masks = [:]
    state = try automaton.forgetAll(but: state)
  }

  private func walk() throws(GrammarError) -> [UInt64] {
    var mask = [UInt64](repeating: 0, count: (table.vocabularyCount + 63) / 64)
    if automaton.isAccepting(state) {
      for token in table.endTokens where token >= 0 && Int(token) < table.vocabularyCount {
        mask[Int(token) >> 6] |= 1 << UInt64(token & 63)
      }
    }
    let result = mask.withUnsafeMutableBufferPointer { mask in
      table.bytes.withUnsafeBufferPointer { bytes in
        table.offsets.withUnsafeBufferPointer { offsets in
          table.sharedBytes.withUnsafeBufferPointer { shared in
            table.tokens.withUnsafeBufferPointer { tokens in
              Result { () throws(GrammarError) in
                try automaton.walk(
                  from: state, bytes, offsets: offsets, shared: shared,
                  longest: TokenTable.longestText
                ) { place in
                  let token = Int(tokens[place])
                  mask[token >> 6] |= 1 << UInt64(token & 63)
                }
              }
            }
          }
        }
      }
    }
    try result.get()
    return mask
  }
}
