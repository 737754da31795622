import Generation
import JSON
import Tokenization

/// Keeps a message's text from speaking as the chat template does.
///
/// A rendered template is read with its control tokens, so a user who writes `<|im_end|>` would end
/// the turn and could begin one of the system's. Such a text gets a zero-width space inside the
/// token's name: the model still reads the words, and nobody's turn ends.
///
/// All of it is done on bytes, as tokenizers read them: as characters, a name that follows a
/// combining mark is another text, and would not be found.
struct ControlTokenGuard: Sendable {
  private let tokenizer: any Tokenizer
  private let splitter: SpecialTokenSplitter
  /// Lengths of the names in bytes, by what the splitter calls them.
  private let lengths: [Int]
  /// Bytes that a control token's name begins with: a text without any needs no closer look.
  private var firstBytes: [Bool] = Array(repeating: false, count: 256)

  /// A name broken in one round may let another one begin inside it.
  private static let rounds = 8
  private static let zeroWidthSpace = Array("\u{200B}".utf8)

  init(_ tokenizer: any Tokenizer) {
    self.tokenizer = tokenizer
    var names: Set<[UInt8]> = []
    for id in 0..<Int32(clamping: tokenizer.vocabularyCount) where tokenizer.isSpecial(id) {
      let name = tokenizer.bytes(of: id)
      guard !name.isEmpty else { continue }
      names.insert(name)
      // SentencePiece reads a space and its own sign for one alike.
      let text = String(decoding: name, as: UTF8.self)
      names.insert(Array(text.replacing("\u{2581}", with: " ").utf8))
      names.insert(Array(text.replacing(" ", with: "\u{2581}").utf8))
    }
    let sorted = names.sorted { $0.lexicographicallyPrecedes($1) }
    for name in sorted { firstBytes[Int(name[0])] = true }
    // A tokenizer may also read what only becomes a name once it is normalized.
    for byte in 128..<256 { firstBytes[byte] = true }
    lengths = sorted.map(\.count)
    splitter = SpecialTokenSplitter(sorted.enumerated().map { (Int32(clamping: $0), $1) })
  }

  /// The text, with the names of control tokens broken. Throws for a text whose control tokens can't
  /// be found in it, which takes intent.
  func clean(_ text: String) throws(GenerationError) -> String {
    guard text.utf8.contains(where: { firstBytes[Int($0)] }) else { return text }
    var text = text
    for _ in 0..<Self.rounds {
      guard holdsControlTokens(text) else { return text }
      text = broken(text)
    }
    throw .invalidParameter(
      name: "messages", value: "a text that holds control tokens of the model",
      expected: "one without")
  }

  /// The same of a message, its calls included.
  func clean(_ message: ChatMessage) throws(GenerationError) -> ChatMessage {
    var message = try message.mapTexts { text throws(GenerationError) in try clean(text) }
    message.reasoning = try message.reasoning.map { text throws(GenerationError) in
      try clean(text)
    }
    for index in message.toolCalls.indices {
      let call = message.toolCalls[index]
      message.toolCalls[index] = ToolCall(
        id: try clean(call.id), name: try clean(call.name), arguments: try clean(call.arguments))
    }
    if let id = message.toolCallID { message.toolCallID = try clean(id) }
    return message
  }

  /// The same of every text in a value.
  func clean(_ value: JSONValue) throws(GenerationError) -> JSONValue {
    switch value {
    case .string(let text): return .string(try clean(text))
    case .array(let items):
      var result: [JSONValue] = []
      for item in items { result.append(try clean(item)) }
      return .array(result)
    case .object(let pairs):
      var result: [(key: String, value: JSONValue)] = []
      for pair in pairs { result.append((try clean(pair.key), try clean(pair.value))) }
      return .object(result)
    default: return value
    }
  }

  /// Whether the tokenizer would read any.
  private func holdsControlTokens(_ text: String) -> Bool {
    tokenizer.encode(text, addSpecial: false, parseSpecial: true)
      != tokenizer.encode(text, addSpecial: false, parseSpecial: false)
  }

  /// With a zero-width space behind the first character of each name.
  private func broken(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + 64)
    var next = 0
    for piece in bytes.withUnsafeBytes(splitter.split) {
      switch piece {
      case .text(let range):
        output += bytes[range]
        next = range.upperBound
      case .token(let name):
        let end = next + lengths[Int(name)]
        var rest = next + 1
        while rest < end, bytes[rest] & 0xC0 == 0x80 { rest += 1 }
        output += bytes[next..<rest]
        output += Self.zeroWidthSpace
        output += bytes[rest..<end]
        next = end
      }
    }
    return String(decoding: output, as: UTF8.self)
  }
}
