/// How text is cut into words before byte-pair merges, which never cross a word's edge: published
/// cuts, each of the pieces that the one before has left.
package struct PreTokenizer: Sendable, Equatable {
  let steps: [SplitStep]

  init(_ steps: [SplitStep]) { self.steps = steps }

  /// Calls the body with the byte range of every word, in order; together they cover the text.
  func forEachWord(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    let scalars = ScalarText(text)
    var ends = [scalars.count]
    for step in steps {
      var cut: [Int] = []
      cut.reserveCapacity(max(ends.count, scalars.count / 4))
      var start = 0
      for end in ends {
        step.cut(start..<end, of: scalars) { cut.append($0) }
        start = end
      }
      ends = cut
    }
    var start = 0
    for end in ends where end > start {
      body(scalars.offsets[start]..<scalars.offsets[end])
      start = end
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
