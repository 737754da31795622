import Generation
import Testing

@Suite struct StopMatcherTests {
  /// Feeds the pieces; gives the text sent and the stop string found.
  private func run(_ pieces: [String], stops: [String]) -> (text: String, matched: String?) {
    var matcher = StopMatcher(stops: stops)
    var text = ""
    for piece in pieces {
      let outcome = matcher.take(piece)
      text += outcome.text
      if let matched = outcome.matched { return (text, matched) }
    }
    return (text + matcher.finish(), nil)
  }

  @Test(
    arguments: [
      (["Hello", " world"], ["END"], "Hello world", nil),
      (["one END two"], ["END"], "one ", "END"),
      (["one E", "N", "D two"], ["END"], "one ", "END"),
      (["one E", "N", "d two"], ["END"], "one ENd two", nil),
      (["EEND"], ["END"], "E", "END"),
      (["aab", "aabc"], ["aabaabc"], "", "aabaabc"),
      (["aaaab"], ["aab"], "aa", "aab"),
      (["line\r", "\nnext"], ["\n"], "line\r", "\n"),
      (["é", "tude ", "é"], ["é "], "étude é", nil),
      (["日本", "語です"], ["語"], "日本", "語"),
      (["👩‍", "👧 x"], ["👩‍👧"], "", "👩‍👧"),
      (["abc"], ["c", "bc"], "a", "bc"),
      (["abcd"], ["abc", "abcd"], "", "abc"),
      (["ends with EN"], ["END"], "ends with EN", nil),
      ([""], ["END"], "", nil),
    ] as [([String], [String], String, String?)])
  func finds(pieces: [String], stops: [String], text: String, matched: String?) {
    let outcome = run(pieces, stops: stops)
    #expect(outcome.text == text)
    #expect(outcome.matched == matched)
  }

  /// However a text is cut, the same is sent and the same is found.
  @Test func cutsDoNotMatter() {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<500 {
      let text = String((0..<40).map { _ in "abé".randomElement(using: &generator) ?? "a" })
      let stops = (0..<2).map { _ in
        String((0..<4).map { _ in "abé".randomElement(using: &generator) ?? "a" })
      }
      let whole = run([text], stops: stops)
      var pieces: [String] = []
      var rest = text[...]
      while !rest.isEmpty {
        let count = Int.random(in: 1...5, using: &generator)
        pieces.append(String(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      let cut = run(pieces, stops: stops)
      #expect(cut.text == whole.text)
      #expect(cut.matched == whole.matched)
    }
  }

  /// Nothing that can still become a stop string is sent.
  @Test func holdsBack() {
    var matcher = StopMatcher(stops: ["<stop>"])
    #expect(matcher.take("a<").text == "a")
    #expect(matcher.take("sto").text == "")
    #expect(matcher.take("re").text == "<store")
    #expect(matcher.finish() == "")
  }

  /// A chat layout's texts end an answer as the client's do, which come first.
  @Test func aLayoutsStopsEndToo() {
    var parameters = SamplingParameters()
    parameters.stop = ["stop"]
    for (text, stop) in [("Yes.\nQuestion:", "\nQuestion:"), ("Yes.stop", "stop")] {
      var rule = StopRule(
        parameters: parameters, endTokens: [], promptCount: 1, contextLength: 100,
        layoutStops: ["\nQuestion:"])
      let outcome = rule.take(text: text)
      #expect(outcome.text == "Yes." && outcome.finished == .stopString(stop))
    }
  }
}
