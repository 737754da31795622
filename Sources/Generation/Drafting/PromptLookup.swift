/// Guesses how a sequence goes on: as it did where its last tokens stood before.
///
/// Answers that quote their prompt (edited code, summaries, what was asked to be extracted) or
/// themselves are guessed well. The guess is proved, and so its tokens computed, in the pass that
/// computes the token before it: several tokens for little more than the price of one, because a pass
/// of few rows costs what reading the weights costs. A wrong guess changes nothing but time.
///
/// Source: prompt lookup decoding (A. Saxena, 2023), the n-gram form of speculative decoding
/// (Leviathan et al., arXiv 2211.17192).
package enum PromptLookup {
  /// Tokens that must at least have stood before in the same order.
  package static let shortestMatch = 2
  /// Matches that are longer are not told apart.
  private static let longestMatch = 16

  /// At most `count` tokens; none where the last `shortest` tokens are new. Of several places, that with the
  /// longest match, and the last among equals. A place so near the end that it has fewer tokens
  /// behind it is taken for the beginning of a loop.
  package static func guess(
    after tokens: [Int32], atMost count: Int, matching shortest: Int = shortestMatch
  ) -> [Int32] {
    guard count > 0, tokens.count > shortest, let last = tokens.last else { return [] }
    var place: Int?
    var best = shortest - 1
    var end = tokens.count - 1
    while end > 0, best < longestMatch {
      // What would follow the match that ends before `end`.
      defer { end -= 1 }
      guard tokens[end - 1] == last else { continue }
      var length = 1
      while length < longestMatch, length < end,
        tokens[end - 1 - length] == tokens[tokens.count - 1 - length]
      {
        length += 1
      }
      if length > best { (place, best) = (end, length) }
    }
    guard let place else { return [] }
    let period = tokens.count - place
    return (0..<count).map { tokens[place + $0 % period] }
  }
}
