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
    let end = matcher.finish()
    return (text + end.text, end.matched)
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
      (["abc"], ["abcX", "b"], "a", "b"),
      (["abc", "d"], ["abcX", "b"], "a", "b"),
      (["abc", "X"], ["abcX", "b"], "", "abcX"),
      (["so\n", "Q"], ["\nQuestion:", "Q"], "so\n", "Q"),
      ([""], ["END"], "", nil),
    ] as [([String], [String], String, String?)])
  func finds(pieces: [String], stops: [String], text: String, matched: String?) {
    let outcome = run(pieces, stops: stops)
    #expect(outcome.text == text)
    #expect(outcome.matched == matched)
  }

  /// However a text is cut, the earliest stop string ends it; of those at one place, the first listed.
  @Test func cutsDoNotMatter() {
    var generator = SeededGenerator(seed: 7)
    func random(_ count: Int) -> String {
      String((0..<count).map { _ in "abé".randomElement(using: &generator) ?? "a" })
    }
    for _ in 0..<1000 {
      let text = random(40)
      let stops = (0..<3).map { _ in random(Int.random(in: 1...6, using: &generator)) }
      let bytes = Array(text.utf8)
      var wanted: (text: String, matched: String?) = (text, nil)
      for start in bytes.indices {
        let rest = bytes[start...]
        guard let stop = stops.first(where: { rest.starts(with: $0.utf8) }) else { continue }
        wanted = (String(decoding: bytes[..<start], as: UTF8.self), stop)
        break
      }
      var pieces: [String] = []
      var rest = text[...]
      while !rest.isEmpty {
        let count = Int.random(in: 1...5, using: &generator)
        pieces.append(String(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      let cut = run(pieces, stops: stops)
      #expect(cut.text == wanted.text)
      #expect((cut.matched == nil) == (wanted.matched == nil))
      // A longer one that begins at the same place is not waited for.
      if let matched = cut.matched {
        #expect(text.utf8.dropFirst(wanted.text.utf8.count).starts(with: matched.utf8))
      }
    }
  }

  /// Nothing that can still become a stop string is sent.
  @Test func holdsBack() {
    var matcher = StopMatcher(stops: ["<stop>"])
    #expect(matcher.take("a<").text == "a")
    #expect(matcher.take("sto").text == "")
    #expect(matcher.take("re").text == "<store")
    #expect(matcher.finish().text == "")
  }

  /// A chat layout's texts end an answer as the client's do, which come first.
  @Test func aLayoutsStopsEndToo() {
    var parameters = SamplingParameters()
    parameters.stop = ["stop"]
    let cases: [(String, FinishReason, Bool)] = [
      ("Yes.\nQuestion:", .layoutStop("\nQuestion:"), true),
      ("Yes.stop", .stopString("stop"), false),
    ]
    for (text, reason, isOwn) in cases {
      var rule = StopRule(
        parameters: parameters, endTokens: [], promptCount: 1, contextLength: 100,
        layoutStops: ["\nQuestion:"])
      let outcome = rule.take(text: text)
      #expect(outcome.text == "Yes." && outcome.finished == reason)
      #expect(reason.isOwn == isOwn && reason.openAIName == "stop")
    }
  }
}
