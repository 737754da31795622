import Generation
import HTTPClient
import JSON
import Tokenization

/// Reads an OpenAI-compatible answer as it comes: server-sent events with pieces of text, or, from endpoints that
/// don't stream, one JSON object. Pure; it bears anything that a peer may send.
package struct CompletionReader: Sendable {
  /// What is wrong with what came.
  package struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(description: String) { self.description = description }
  }

  /// What came of the answer, never empty.
  package enum Piece: Sendable, Equatable {
    case text(String)
    /// What the model thinks before it answers.
    case reasoning(String)
  }

  private enum Form {
    /// Not known before the first byte that is no space.
    case unknown
    case events
    case whole
  }

  private var form = Form.unknown
  private var events = ServerSentEventParser()
  private var whole: [UInt8] = []
  /// Whether the endpoint has said that it is: what follows means nothing.
  package private(set) var isDone = false
  /// Whether there was an answer at all.
  private var hasChoice = false

  /// The endpoint's word for why the answer ended; nil before it said one.
  package private(set) var finishReason: String?
  /// The text at which the answer stopped, where the endpoint says so, as vLLM does.
  package private(set) var stopText: String?
  /// As the endpoint counted; nil where it did not.
  package private(set) var promptTokens: Int?
  package private(set) var cachedPromptTokens: Int?
  package private(set) var completionTokens: Int?
  package private(set) var reasoningTokens: Int?

  private var calls = PeerToolCalls()
  /// Bytes of their arguments.
  package var toolCallBytes: Int { calls.byteCount }

  private static let maximumWholeBytes = 16 << 20

  /// The functions that the endpoint wants called; whole once the answer has ended.
  package var toolCalls: [ToolCall] { calls.whole }

  /// Which form it is, the first byte tells: types are wrong too often.
  package init() {}

  /// Ends an answer that has become too long, as if the limit had.
  mutating func cutOff() { finishReason = "length" }

  /// What is in a piece of the body.
  package mutating func read(_ bytes: [UInt8]) throws(Problem) -> [Piece] {
    if case .unknown = form, let first = bytes.first(where: { ![9, 10, 13, 32].contains($0) }) {
      form = first == UInt8(ascii: "{") ? .whole : .events
    }
    switch form {
    case .unknown: return []
    case .whole:
      guard whole.count + bytes.count <= Self.maximumWholeBytes else {
        throw Problem(description: "more than \(Self.maximumWholeBytes) bytes")
      }
      whole += bytes
      return []
    case .events:
      return try pieces { parser throws(ServerSentEventParser.TooLong) in try parser.read(bytes) }
    }
  }

  /// What is left when the body has ended. Throws where the answer is not whole.
  package mutating func end() throws(Problem) -> [Piece] {
    let pieces: [Piece]
    switch form {
    case .whole: pieces = try message(of: whole)
    case .unknown, .events:
      pieces = try self.pieces { parser throws(ServerSentEventParser.TooLong) in try parser.end() }
    }
    guard isDone || finishReason != nil else {
      throw Problem(description: "the answer broke off")
    }
    guard hasChoice else { throw Problem(description: "there is no answer in it") }
    return pieces
  }

  /// What is in the events that the parser gives.
  private mutating func pieces(
    _ parse: (inout ServerSentEventParser) throws(ServerSentEventParser.TooLong) -> [[UInt8]]
  ) throws(Problem) -> [Piece] {
    let found: [[UInt8]]
    do throws(ServerSentEventParser.TooLong) {
      found = try parse(&events)
    } catch {
      throw Problem(description: "an event is too long")
    }
    var pieces: [Piece] = []
    for event in found where !isDone {
      if event.count < 32, event.filter({ $0 > 0x20 }).elementsEqual("[DONE]".utf8) {
        isDone = true
      } else if !event.isEmpty {
        pieces += try message(of: event)
      }
    }
    return pieces
  }

  /// What is in one event, or in the whole answer.
  private mutating func message(of json: [UInt8]) throws(Problem) -> [Piece] {
    let value: JSONValue
    do throws(JSONParser.Failure) {
      value = try JSONParser.parse(json)
    } catch {
      if String(validating: json, as: UTF8.self) == nil {
        // Half a character, as some servers cut them.
        return try message(of: Array(String(decoding: json, as: UTF8.self).utf8))
      }
      throw Problem(description: "no JSON: \(error.problem) at byte \(error.offset)")
    }
    guard case .object = value else { throw Problem(description: "\(value.kind), no object") }
    if let error = value["error"], !error.isNull {
      throw Problem(description: PeerMessage.text(of: value) ?? "an error that it does not name")
    }
    read(usage: value["usage"])
    guard case .array(let choices)? = value["choices"] else {
      // A last event may have the usage alone.
      guard value["usage"] != nil else { throw Problem(description: "no 'choices'") }
      return []
    }
    let first = choices.first { if case .int(0)? = $0["index"] { true } else { false } }
    guard let choice = first ?? choices.first else { return [] }
    hasChoice = true
    if case .string(let reason)? = choice["finish_reason"] { finishReason = reason }
    if case .string(let text)? = choice["stop_reason"] { stopText = text }
    let message = choice["delta"] ?? choice["message"]
    if case .array(let pieces)? = message?["tool_calls"] { try calls.take(pieces) }
    // DeepSeek's, vLLM's and llama-server's word, and OpenRouter's and Ollama's; some send both.
    var thought = Self.text(of: message?["reasoning_content"])
    if thought.isEmpty { thought = Self.text(of: message?["reasoning"]) }
    let text = Self.text(of: message?["content"] ?? choice["text"])
    return (thought.isEmpty ? [] : [.reasoning(thought)]) + (text.isEmpty ? [] : [.text(text)])
  }

  /// A text, or one in parts.
  private static func text(of content: JSONValue?) -> String {
    switch content {
    case .string(let text)?: return text
    case .array(let parts)?:
      return parts.map { if case .string(let text)? = $0["text"] { text } else { "" } }.joined()
    default: return ""
    }
  }

  private mutating func read(usage: JSONValue?) {
    guard let usage else { return }
    func count(_ value: JSONValue?) -> Int? {
      guard case .int(let count)? = value, (0...1 << 22).contains(count) else { return nil }
      return count
    }
    promptTokens = count(usage["prompt_tokens"]) ?? promptTokens
    completionTokens = count(usage["completion_tokens"]) ?? completionTokens
    reasoningTokens =
      count(usage["completion_tokens_details"]?["reasoning_tokens"]) ?? reasoningTokens
    cachedPromptTokens =
      count(usage["prompt_tokens_details"]?["cached_tokens"]) ?? cachedPromptTokens
  }
}
