import Routing
import Testing

@Suite struct PromptFlagsTests {
  @Test(arguments: [
    ("[Flag: smallest model] Hello", "Hello", Goal.size, 1.0),
    ("Hello [FLAG: Newest] world", "Hello world", .recency, 1),
    ("Hello [flag:secure]", "Hello", .security, 1),
    ("a\n[Flag: fastest]\nb", "a\nb", .latency, 1),
    ("[ flag : cheapest ]x", "x", .cost, 1),
    ("x[Flag: concise]y", "xy", .verbosity, 1),
    ("[Flag: the most readable answer]", "", .readability, 1),
    ("q [Flag: size=0.5]", "q", .size, 0.5),
    ("q [Flag: Size = 2e-1 ]", "q", .size, 0.2),
  ])
  func weights(text: String, stripped: String, goal: Goal, weight: Double) {
    let flags = PromptFlags.parse(text)
    #expect(flags.strippedText == stripped)
    #expect(flags.weights[goal] == weight)
    #expect(flags.ignored.isEmpty)
  }

  @Test func constraints() {
    let flags = PromptFlags.parse(
      "[Flag: max-params=300M] a [Flag: Max_Parameters=1B][Flag: local only] "
        + "[Flag: licenses=Apache-2.0, MIT] [Flag: released-after=2024-01-01] b "
        + "[Flag: max-cost=$0.01] [Flag: min-context=4K] [Flag: experts=Alpha,b]")
    #expect(flags.strippedText == "a b")
    #expect(
      flags.constraints
        == Constraints(
          maxParameters: 300_000_000, localOnly: true, maxCostUSD: 0.01,
          releasedAfter: CalendarDate("2024-01-01"), licenses: ["apache-2.0", "mit"],
          experts: ["Alpha", "b"], minContext: 4096))
  }

  @Test(arguments: [
    "fastst", "size=abc", "size=-1", "size=101", "size=nan", "size=inf", "max-params=-3",
    "max-params=1e300T", "released-after=2024-13-01", "", "=", "=1", "size=",
  ])
  func unreadableFlagsAreRemovedAndReported(body: String) {
    let flags = PromptFlags.parse("x [Flag: \(body)] y")
    #expect(flags.strippedText == "x y")
    #expect(flags.understood.isEmpty)
    #expect(flags.ignored.map(\.text) == [body])
  }

  @Test func escapedFlagsAreLiteral() {
    let flags = PromptFlags.parse(#"say \[Flag: newest] [Flag: fastest]"#)
    #expect(flags.strippedText == #"say \[Flag: newest]"#)
    #expect(flags.expertText == "say [Flag: newest]")
    #expect(flags.weights.active == [.latency])
    #expect(PromptFlags.parse(flags.strippedText).understood.isEmpty)
  }

  @Test(arguments: [
    "[Flag: unterminated", "[Flag: two\nlines]", "[flags: x]", "[Flag x]", "plain [text]",
    #"C:\[x] \n"#, "[Flag: a[0]]", "1 ] 2 [ 3",
  ])
  func othersStay(text: String) {
    let flags = PromptFlags.parse(text)
    #expect(flags.strippedText == text)
    #expect(flags.understood.isEmpty && flags.ignored.isEmpty)
  }

  @Test func flagsThatFormWhenOthersAreRemovedGoToo() {
    let flags = PromptFlags.parse("a [Fl[Flag: newest]ag: secure] b")
    #expect(flags.strippedText == "a b")
    #expect(flags.weights.active == [.recency, .security])
  }

  @Test func tenThousandRandomStrings() {
    let pieces = [
      "[", "]", "Flag", "flag", ":", " ", "\n", "\\", "[Flag:", "[FLAG: ", "newest", "=0.5]",
      "size", "é", "🙂", "\u{301}", "max-params=3M", "\r\n", "\0", "a", "[fl", "ag:", "]]", "\t",
    ]
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<10_000 {
      let text = (0..<generator.next(below: 24)).map { _ in
        pieces[generator.next(below: pieces.count)]
      }.joined()
      let once = PromptFlags.parse(text)
      let twice = PromptFlags.parse(once.strippedText)
      #expect(twice.strippedText == once.strippedText, "\(text.debugDescription)")
      #expect(twice.understood.isEmpty && twice.ignored.isEmpty, "\(text.debugDescription)")
      #expect(once.strippedText.utf8.count <= text.utf8.count)
    }
  }

  @Test func manyFlagsAreBounded() {
    let flags = PromptFlags.parse(String(repeating: "[Flag: newest] ", count: 5000) + "end")
    #expect(flags.strippedText == "end")
    #expect(flags.understood.count == PromptFlags.maximumFlags)
    #expect(flags.ignored.isEmpty)
    #expect(flags.unreadCount == 5000 - PromptFlags.maximumFlags)
  }

  @Test func aLimitBehindManyFlagsHolds() {
    let flags = PromptFlags.merge(
      (0..<100).map { _ in PromptFlags.parse("[Flag: newest] [Flag: gibberish]") }
        + [PromptFlags.parse("[Flag: local only]")])
    #expect(flags.constraints.localOnly == true && flags.unreadCount == 0)
    let merged = RoutingPreferences.merge(prompt: flags)
    #expect(merged.constraints.localOnly == true)
    #expect(merged.ignoredFlags.count == 65, "64 of them, and how many more there were")
    #expect(merged.ignoredFlags.last?.reason.contains("36") == true)
  }

  @Test func longHostileTextsAreReadInOnePass() {
    // Quadratic parsing of these would take minutes.
    for piece in ["[Flag:", "[", "]", "[Flag: x", "\\[Flag:", "[Flag: x]"] {
      _ = PromptFlags.parse(String(repeating: piece, count: 200_000))
    }
  }

  @Test(
    arguments: [
      ("local only, smallest model", ["local only", "smallest model"]),
      ("size=0.5, local only ,max params=1B", ["size=0.5", "local only", "max params=1B"]),
      ("local only; smallest model", ["local only", "smallest model"]),
      ("license=apache-2.0, mit", ["license=apache-2.0, mit"]),
      ("license=apache-2.0, mit, local only", ["license=apache-2.0, mit", "local only"]),
      ("experts=a, fast, size=1", ["experts=a, fast", "size=1"]),
      ("max cost=0,01", ["max cost=0,01"]), ("fast", ["fast"]), ("", [""]), (",", [""]),
    ] as [(String, [String])])
  func severalFlagsInABracket(body: String, parts: [String]) {
    let found = PromptFlagMeaning.parts(of: body)
    #expect(found.count == parts.count)
    #expect(found.first?.hasPrefix(parts[0].prefix(3)) == true)
    let flags = PromptFlags.parse("x [Flag: \(body)] y")
    #expect(flags.strippedText == "x y")
    #expect(flags.understood.count + flags.ignored.count == parts.count)
    if parts.allSatisfy({ PromptFlagMeaning.read($0).isRead }) {
      #expect(flags.understood.map(\.text) == parts)
    }
  }

  /// A limit that can't be read must not become none.
  @Test(
    arguments: [
      "max parameters=140 million", "max cost=-1", "max cost=0,01", "released after=x",
      "local only=perhaps", "license=", "experts= ,", "min context=lots", "min density=2",
      "smallest, max cost=cheap",
      // Slips of a limit's name: nobody who wrote them wants the limit to be passed over.
      "local onli", "lokal only", "localonly", "keep it local", "local onyl=true",
      "max paramters=1B",
      "max csot=1", "relesed after=2024-01-01", "smallest; locla only",
    ])
  func limitsWithoutAValue(body: String) {
    let flags = PromptFlags.parse("x [Flag: newest] [Flag: \(body)] [Flag: max cost=free]")
    #expect(flags.mistakenLimit == flags.ignored.first)
    #expect(flags.mistakenLimit != nil)
    #expect(
      PromptFlags.merge([PromptFlags.parse("a"), flags]).mistakenLimit == flags.mistakenLimit)
  }

  /// A limit that was meant and not closed is not sent on as text.
  @Test(arguments: [
    "[Flag: local only", "Hi [Flag: local only, tell me of x", "[flag:LOCAL ONLY please say x",
    "[Flag: local only\n] Hi", "[Flag: local only [x]] Hi", "[Flag: max cost=0.01 Hi",
    "[Flag: max parameters=300M", "[Flag: locla only Hi", "[Flag: expert=gemma",
    "[Flag: newest [Flag: local only", "[Flag: local", "[Flag: only local. Say x",
    "[Flag: speed, local only",
    "[Flag: local only " + String(repeating: "x", count: 300) + "]",
  ])
  func unclosedLimits(text: String) {
    let flags = PromptFlags.parse(text)
    #expect(flags.strippedText == text, "it is told as it was written")
    #expect(flags.mistakenLimit?.reason.contains("closing bracket") == true)
    #expect(flags.mistakenLimit.map { text.contains($0.text) } == true)
    #expect(flags.understood.isEmpty && flags.ignored.isEmpty)
  }

  @Test(arguments: [
    "[Flag: smallest model", "[Flag: is a word", "[Flag:", "[Flag: newest [x]", "[Flag local only",
    #"\[Flag: local only"#, "Flag: local only]", "[Flag: local only] Hi",
    "[Flag: speed up, local only",
    "[Flags: local only",
  ])
  func otherUnclosedFlags(text: String) {
    #expect(PromptFlags.parse(text).mistakenLimit == nil)
  }

  /// Among more unclosed flags than are read may be a limit.
  @Test func manyUnclosedFlagsAreBounded() {
    let flags = PromptFlags.parse(String(repeating: "[Flag: x", count: 5000))
    #expect(flags.unreadCount == 5000 - PromptFlags.maximumFlags)
    #expect(PromptFlags.parse(String(repeating: "[Flag: x", count: 1000)).unreadCount == 0)
  }

  @Test(arguments: [
    "gibberish", "size=much", "cheapest", "cost", "most readable", "lowest cost", "be nice",
    "max speed", "context", "after", "local only", "fast, gibberish", "\\[Flag: max cost=x]",
  ])
  func otherMistakesAreNoLimits(body: String) {
    #expect(PromptFlags.parse("x [Flag: \(body)]").mistakenLimit == nil)
  }
}

extension Result {
  fileprivate var isRead: Bool { if case .success = self { true } else { false } }
}
