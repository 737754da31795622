import Generation
import Grammar
import Testing
import Tokenization

/// Thinking is told from answers alike, however the text is cut.
@Suite struct ReasoningReaderTests {
  private struct Read: Equatable {
    var reasoning = ""
    var answer = ""

    mutating func add(_ pieces: [ReasoningReader.Piece]) {
      for piece in pieces {
        switch piece {
        case .reasoning(let text):
          #expect(!text.isEmpty)
          reasoning += text
        case .answer(let text):
          #expect(!text.isEmpty)
          answer += text
        }
      }
    }
  }

  /// Where each scalar of a text ends, of which some are taken as cuts.
  private func pieces(of text: String, cutAt cuts: (Int) -> Bool) -> [String] {
    var pieces: [String] = []
    var piece = ""
    for (place, scalar) in text.unicodeScalars.enumerated() {
      piece.unicodeScalars.append(scalar)
      if cuts(place) {
        pieces.append(piece)
        piece = ""
      }
    }
    return pieces + [piece]
  }

  /// All ways of cutting a text once, at every place, at every few places, and some by chance.
  private func ways(of text: String) -> [[String]] {
    let count = text.unicodeScalars.count
    var generator = SeededGenerator(seed: 11)
    return (0..<max(count, 1)).map { cut in pieces(of: text) { $0 == cut } }
      + (1...7).map { every in pieces(of: text) { $0 % every == 0 } }
      + (0..<40).map { _ in
        pieces(of: text) { _ in Int.random(in: 0..<4, using: &generator) == 0 }
      }
  }

  private static let thinking:
    [(text: String, start: ReasoningReader.Start, reasoning: String, answer: String)] = [
      ("", .undecided, "", ""),
      ("<think>\nHm, é.\n\nSo.\n</think>\n\nIt is 4.\n", .undecided, "Hm, é.\n\nSo.", "It is 4.\n"),
      (" \n<think>a</think>b", .undecided, "a", "b"),
      ("Hm.\n</think>\n\n日本", .reasoning, "Hm.", "日本"),
      // Opened once more by the model itself.
      ("<think>\nHm.</think> x", .reasoning, "Hm.", "x"),
      ("\n</think>\n\nx", .reasoning, "", "x"), ("</think>", .reasoning, "", ""),
      ("<think></think>x", .undecided, "", "x"),
      // Not closed: all of it is thinking.
      ("<think>\nHm \n", .undecided, "Hm", ""), ("Hm </thin", .reasoning, "Hm", ""),
      ("Hm <", .reasoning, "Hm <", ""), ("a < b </ think> c", .reasoning, "a < b </ think> c", ""),
      ("a <think> b</think>c", .reasoning, "a <think> b", "c"),
      ("</</think></think> y", .reasoning, "</", "</think> y"),
      // None: what follows is the answer, marks and white space included.
      ("  No. <think>x</think>", .undecided, "", "  No. <think>x</think>"),
      ("<thin", .undecided, "", "<thin"), ("<thing>", .undecided, "", "<thing>"),
      (" \n", .undecided, "", " \n"), ("</think>a", .undecided, "", "</think>a"),
      ("\n\nIt is.", .closed, "", "It is."), (" \n", .closed, "", ""),
      ("<think>x", .closed, "", "<think>x"), (" ue, <think>", .answer, "", " ue, <think>"),
    ]

  @Test func thinkingIsToldFromTheAnswer() {
    for (text, start, reasoning, answer) in Self.thinking {
      for pieces in ways(of: text) {
        var reader = ReasoningReader(.think, start: start)
        var read = Read()
        for piece in pieces { read.add(reader.take(piece)) }
        read.add(reader.finish())
        #expect(
          read == Read(reasoning: reasoning, answer: answer),
          "\(text.debugDescription) as \(pieces)")
      }
    }
  }

  /// Gemma 4's marks, with a word behind the first.
  @Test func channelsOfThoughts() {
    let cases: [(text: String, start: ReasoningReader.Start, reasoning: String, answer: String)] = [
      (
        "<|channel>thought\nHm, é.\n\nSo.\n<channel|>It is 4.\n", .undecided, "Hm, é.\n\nSo.",
        "It is 4.\n"
      ),
      ("<|channel>thought\n<channel|>x", .undecided, "", "x"),
      ("<|channel><channel|>x", .undecided, "", "x"),
      ("<|channel>I thought so<channel|>x", .undecided, "I thought so", "x"),
      ("Hm.<channel|>x", .reasoning, "Hm.", "x"),
      ("thought of it<channel|>x", .reasoning, "thought of it", "x"),
      ("<|channel>thought\nHm.<channel|>x", .reasoning, "Hm.", "x"),
      ("<|channel>thought\nHm \n", .undecided, "Hm", ""),
      ("<|channel>thou", .undecided, "thou", ""),
      ("It is <channel|>.", .undecided, "", "It is <channel|>."), ("\nx", .closed, "", "x"),
    ]
    for (text, start, reasoning, answer) in cases {
      for pieces in ways(of: text) {
        var reader = ReasoningReader(.thought, start: start)
        var read = Read()
        for piece in pieces { read.add(reader.take(piece)) }
        read.add(reader.finish())
        #expect(
          read == Read(reasoning: reasoning, answer: answer),
          "\(text.debugDescription) as \(pieces)")
      }
    }
    var reader = ReasoningReader(.thought, start: .undecided)
    #expect(reader.take(mark: "<|channel>") == [] && reader.phase == .reasoning)
    #expect(reader.take("thought\n") == [] && reader.take("Let") == [.reasoning("Let")])
    #expect(reader.take(mark: "<channel|>") == [] && reader.phase == .answer)
  }

  /// Texts made of what marks are made of, against what the whole text gives.
  @Test func cutsDoNotMatter() {
    var generator = SeededGenerator(seed: 5)
    let parts = ["<think>", "</think>", "<", "</", "think>", " ", "\n", "a", "é", "</thi"]
    let starts: [ReasoningReader.Start] = [.undecided, .reasoning, .closed, .answer]
    for round in 0..<400 {
      let text = (0..<8).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
      let start = starts[round % starts.count]
      var whole = Read()
      var reader = ReasoningReader(.think, start: start)
      whole.add(reader.take(text) + reader.finish())
      for pieces in ways(of: text) {
        var read = Read()
        var reader = ReasoningReader(.think, start: start)
        for piece in pieces { read.add(reader.take(piece)) }
        read.add(reader.finish())
        #expect(read == whole, "\(text.debugDescription) as \(pieces)")
      }
    }
  }

  /// Nothing is held back without need.
  @Test func textComesAtOnce() {
    var reader = ReasoningReader(.think, start: .undecided)
    #expect(reader.take("<th") == [] && reader.phase == .undecided)
    #expect(reader.take("ink>Let") == [.reasoning("Let")] && reader.phase == .reasoning)
    #expect(reader.take(" me <") == [.reasoning(" me")])
    #expect(reader.take("b") == [.reasoning(" <b")])
    #expect(reader.take("</think>") == [] && reader.phase == .answer)
    #expect(reader.take("\n\nYes") == [.answer("Yes")])
    #expect(reader.take(" <think>") == [.answer(" <think>")])
  }

  // MARK: - Channels

  private enum Part {
    case text(String)
    case mark(String)
  }

  /// Harmony as text, with its marks as the tokens that they are.
  private func parts(_ text: String) -> [Part] {
    var parts: [Part] = []
    var rest = text[...]
    while let mark = rest.firstMatch(of: /<\|(start|channel|constrain|message|end)\|>/) {
      if mark.range.lowerBound > rest.startIndex {
        parts.append(.text(String(rest[..<mark.range.lowerBound])))
      }
      parts.append(.mark(String(mark.output.0)))
      rest = rest[mark.range.upperBound...]
    }
    return rest.isEmpty ? parts : parts + [.text(String(rest))]
  }

  private func read(
    _ text: String, pieceLength: Int, start: ReasoningReader.Start = .undecided,
    calls: ToolCallStyle? = .tagged, hidesPreambles: Bool = false
  ) -> (read: Read, isOver: Bool) {
    var reader = ReasoningReader(
      .channels, start: start, calls: calls, hidesPreambles: hidesPreambles)
    var read = Read()
    for part in parts(text) {
      switch part {
      case .mark(let mark): read.add(reader.take(mark: mark))
      case .text(let text):
        for piece in pieces(of: text, cutAt: { $0 % pieceLength == pieceLength - 1 }) {
          read.add(reader.take(piece))
        }
      }
    }
    let isOver = reader.isOver
    read.add(reader.finish())
    return (read, isOver)
  }

  private static let thought = "<|channel|>analysis<|message|>Hm, é. "

  @Test(arguments: [1, 2, 3, 7, 1000]) func channelsAreToldApart(pieceLength: Int) {
    let next = "<|end|><|start|>assistant"
    for (text, reasoning, answer) in [
      (Self.thought + next + "<|channel|>final<|message|>It is 4.", "Hm, é. ", "It is 4."),
      (Self.thought, "Hm, é. ", ""), ("<|channel|>final<|message|>Yes", "", "Yes"),
      (Self.thought + next, "Hm, é. ", ""), ("<|channel|>anal", "", ""),
      // Two thoughts, and a word before the answer.
      (
        Self.thought + next + "<|channel|>analysis<|message|>So" + next
          + "<|channel|>commentary<|message|>I look." + next + "<|channel|>final<|message|>4",
        "Hm, é. \n\nSo", "I look.\n\n4"
      ),
      // A model that was never taught headers.
      ("It is 4.", "", "It is 4."), ("to be", "", "to be"), ("", "", ""),
      // What is no channel of these is answered with.
      ("<|channel|>other<|message|>x", "", "x"), ("<|message|>x", "", "x"),
      ("<|end|><|end|><|constrain|><|start|><|channel|><|channel|>final<|message|>x", "", "x"),
    ] {
      let found = read(text, pieceLength: pieceLength)
      #expect(found.read == Read(reasoning: reasoning, answer: answer), "\(text)")
      #expect(!found.isOver, "\(text)")
    }
    #expect(read("<|channel|>final<|message|>x<|end|>", pieceLength: pieceLength).isOver)
    #expect(
      read("x", pieceLength: pieceLength, start: .reasoning).read == Read(reasoning: "x"))
    #expect(read("x", pieceLength: pieceLength, start: .answer).read == Read(answer: "x"))
    let preamble = read(
      "<|channel|>commentary<|message|>I look.", pieceLength: pieceLength, hidesPreambles: true)
    #expect(preamble.read == Read(reasoning: "I look."))
    var reader = ReasoningReader(.channels, start: .undecided)
    for mark in ["<|channel|>", "<|message|>"] {
      _ = reader.take(mark: mark) + reader.take(mark == "<|channel|>" ? "commentary" : "I look.")
    }
    #expect(reader.isPreamble && reader.phase == .answer, "a format does not bind it")
    let long = "<|channel|>" + String(repeating: "x", count: 2000)
    #expect(read(long, pieceLength: pieceLength).read.answer.count == 2000)
  }

  /// Calls on the commentary channel come as calls, wherever their addressee stands.
  @Test(
    arguments: [
      "<|channel|>commentary to=functions.add <|constrain|>json<|message|>",
      " to=functions.add<|channel|>commentary json<|message|>",
    ], [1, 3, 1000])
  func callsInAChannel(header: String, pieceLength: Int) {
    let body = #"{"a": 1, "b": "x<y"}"#
    for (end, arguments) in [("", #"{"a":1,"b":"x<y"}"#), ("<|end|>", #"{"a":1,"b":"x<y"}"#)] {
      let text = Self.thought + "<|end|><|start|>assistant" + header + body + end
      let found = read(text, pieceLength: pieceLength)
      #expect(found.read.reasoning == "Hm, é. ")
      var reader = ToolCallReader(.tagged) { "id" }
      let calls = reader.take(found.read.answer) + reader.finish()
      #expect(calls.first == .callStart(id: "id", name: "add"))
      let given = calls.dropFirst().map {
        if case .callArguments(let text) = $0 { text } else { "?" }
      }
      #expect(given.joined() == arguments)
      #expect(reader.callCount == 1)
    }
    // One that was cut off is not made whole, and one that nobody offered is a text.
    let cut = read(header + #"{"a": {"b": 1}"#, pieceLength: pieceLength)
    var reader = ToolCallReader(.tagged) { "id" }
    _ = reader.take(cut.read.answer) + reader.finish()
    #expect(reader.callCount == 0)
    #expect(read(header + body, pieceLength: pieceLength, calls: nil).read.answer == body)
  }
}
