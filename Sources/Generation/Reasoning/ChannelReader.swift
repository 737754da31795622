import Grammar
import JSON

/// Reads an answer in gpt-oss's harmony: messages, each with a header that says in which channel it is and whom it is
/// for.
///
/// Its marks are tokens and not text: a model that writes about them writes other tokens. What is called for on the
/// commentary channel becomes a call in the words of a ``ToolCallStyle``, which ``ToolCallReader`` reads.
struct ChannelReader: Sendable {
  typealias Piece = ReasoningReader.Piece

  private enum Body {
    case reasoning
    case answer
    case call
    /// The whole answer: behind it nothing follows.
    case final
  }

  private let calls: ToolCallStyle?
  private let hidesPreambles: Bool
  /// What is being read; nil in a header.
  private var body: Body?
  /// Of the header that is being read; the channel's name stands behind a zero byte.
  private var header = ""
  /// Whether a mark has come, or the prompt had one: a model that knows nothing of headers writes none.
  private var hasMarks = false
  private var hasReasoned = false
  private var hasAnswered = false
  /// Whether the message that is being read has had a text.
  private var isFresh = true
  private(set) var isOver = false

  /// A header is a few words; what is longer is none.
  private static let longestHeader = 512

  init(_ start: ReasoningReader.Start, calls: ToolCallStyle?, hidesPreambles: Bool) {
    self.calls = calls
    self.hidesPreambles = hidesPreambles
    switch start {
    case .undecided: body = nil
    case .reasoning: body = .reasoning
    case .closed, .answer: body = .final
    }
  }

  var isCalling: Bool { body == .call }
  var isPreamble: Bool { body == .answer }

  var phase: ReasoningReader.Phase {
    switch body {
    case nil: .between
    case .reasoning: .reasoning
    case .call: .between
    case .answer, .final: .answer
    }
  }

  mutating func take(_ text: String) -> [Piece] {
    guard !text.isEmpty, !isOver else { return [] }
    guard let body else {
      header += text
      // Without any mark yet, only an addressee can stand here.
      let words = header.drop { $0.isWhitespace }
      let isNone =
        hasMarks
        ? header.utf8.count > Self.longestHeader
        : !(words.hasPrefix("to=") || "to=".hasPrefix(words))
          || header.utf8.count > Self.longestHeader
      guard isNone else { return [] }
      defer { header = "" }
      self.body = .final
      return said(header.replacing("\0", with: ""))
    }
    switch body {
    case .reasoning: return thought(text)
    case .answer, .final: return said(text)
    case .call: return [.answer(text)]
    }
  }

  mutating func take(mark: String) -> [Piece] {
    guard !isOver else { return [] }
    hasMarks = true
    switch mark {
    case "<|channel|>" where body == nil:
      header += "\0"
      return []
    case "<|message|>" where body == nil: return begin()
    case "<|constrain|>" where body == nil:
      header += " "
      return []
    case "<|end|>":
      isOver = body == .final
      return endMessage()
    case "<|start|>": return endMessage()
    // Within a message marks mean nothing: but for a channel, which begins another one.
    case "<|channel|>":
      let rest = endMessage()
      header = "\0"
      return rest
    default: return []
    }
  }

  mutating func finish() -> [Piece] {
    // What was taken for a header is all that there is.
    if body == nil, !hasMarks, !header.isEmpty {
      defer { header = "" }
      body = .final
      return said(header)
    }
    // A call that was cut off must not be made whole.
    return []
  }

  /// Begins the message whose header is whole.
  private mutating func begin() -> [Piece] {
    let parts = header.split(separator: "\0", maxSplits: 1, omittingEmptySubsequences: false)
    let channel = parts.count < 2 ? "" : String(parts[1].prefix { !$0.isWhitespace })
    let recipient = header.split { $0.isWhitespace || $0 == "\0" }.first { $0.hasPrefix("to=") }
    header = ""
    isFresh = true
    if let recipient, recipient.hasPrefix("to=functions."), let calls, channel != "analysis" {
      body = .call
      let name = JSONValue.string(String(recipient.dropFirst("to=functions.".count))).json
      return [
        .answer(
          calls.open + "{\"name\": " + String(decoding: name, as: UTF8.self)
            + ", \"\(calls.argumentsKey)\": ")
      ]
    }
    body =
      switch channel {
      case "analysis": .reasoning
      case "commentary": hidesPreambles ? .reasoning : .answer
      default: .final
      }
    return []
  }

  private mutating func endMessage() -> [Piece] {
    defer { (body, header) = (nil, "") }
    guard body == .call, let calls else { return [] }
    return [.answer("}" + calls.close)]
  }

  /// - Returns: The text, behind an empty line where another message's stands before it.
  private mutating func thought(_ text: String) -> [Piece] {
    defer { (hasReasoned, isFresh) = (true, false) }
    return [.reasoning(hasReasoned && isFresh ? "\n\n" + text : text)]
  }

  private mutating func said(_ text: String) -> [Piece] {
    guard !text.isEmpty else { return [] }
    defer { (hasAnswered, isFresh) = (true, false) }
    return [.answer(hasAnswered && isFresh ? "\n\n" + text : text)]
  }
}
