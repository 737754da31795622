import HTTP
import Foundation
import Generation
import JSON
import Synchronization
import Thalamus
import Tokenization

/// Answers in Ollama's words: an object whole, or one a line as it comes.
final class OllamaReply: Sendable {
  static let linesType = "application/x-ndjson"

  /// Where an answer's text stands.
  enum Form: Sendable {
    /// `message.content` of `/api/chat`.
    case chat
    /// `response` of `/api/generate`.
    case generate
  }

  private let decision: Decision
  private let form: Form
  /// The call whose arguments are on their way: Ollama's calls come whole.
  private let call = Mutex<ToolCall?>(nil)

  init(_ decision: Decision, _ form: Form) {
    self.decision = decision
    self.form = form
  }

  static func error(_ error: APIError) -> [UInt8] {
    JSONValue.object([("error", .string(error.message))]).json
  }

  /// What is answered where no answer is asked for.
  static func nothing(model: String, _ form: Form, reason: String) -> [UInt8] {
    let text: (key: String, value: JSONValue) =
      switch form {
      case .generate: ("response", .string(""))
      case .chat:
        ("message", .object([("role", .string("assistant")), ("content", .string(""))]))
      }
    return JSONValue.object([
      ("model", .string(model)), ("created_at", .string(Date().jsonText)), text,
      ("done", .bool(true)), ("done_reason", .string(reason)),
    ]).json
  }

  // MARK: - Lines

  func text(_ piece: String) -> [UInt8] {
    piece.isEmpty ? [] : line(piece, calls: [], end: nil)
  }

  func reasoning(_ piece: String) -> [UInt8] { line("", thinking: piece, calls: [], end: nil) }

  func callStart(id: String, name: String) -> [UInt8] {
    let bytes = endCall()
    call.withLock { $0 = ToolCall(id: id, name: name, arguments: "") }
    return bytes
  }

  func callArguments(_ piece: String) -> [UInt8] {
    call.withLock { $0?.arguments += piece }
    return []
  }

  func end(_ summary: GenerationSummary) -> [UInt8] {
    endCall() + line("", calls: [], end: summary)
  }

  private func endCall() -> [UInt8] {
    let found = call.withLock { call in
      defer { call = nil }
      return call
    }
    guard let found, let call = Self.json(found) else { return [] }
    return line("", calls: [call], end: nil)
  }

  private func line(
    _ text: String, thinking: String = "", calls: [JSONValue], end: GenerationSummary?
  ) -> [UInt8] {
    object(text, thinking: thinking, calls: calls, end: end).json + [10]
  }

  // MARK: - Objects

  func whole(_ answer: Answer.Whole) -> [UInt8] {
    object(
      answer.text, thinking: answer.reasoning, calls: answer.toolCalls.compactMap(Self.json),
      end: answer.summary
    ).json
  }

  private func object(
    _ text: String, thinking: String, calls: [JSONValue], end: GenerationSummary?
  ) -> JSONValue {
    var pairs: [(key: String, value: JSONValue)] = [
      // The expert that answers, not `auto`.
      ("model", .string(decision.expert)),
      ("created_at", .string(Date().jsonText)),
    ]
    switch form {
    case .generate:
      pairs.append(("response", .string(text)))
      if !thinking.isEmpty { pairs.append(("thinking", .string(thinking))) }
    case .chat:
      var message: [(key: String, value: JSONValue)] = [
        ("role", .string("assistant")), ("content", .string(text)),
      ]
      if !thinking.isEmpty { message.append(("thinking", .string(thinking))) }
      if !calls.isEmpty { message.append(("tool_calls", .array(calls))) }
      pairs.append(("message", .object(message)))
    }
    pairs.append(("done", .bool(end != nil)))
    guard let end else { return .object(pairs) }
    let timings = end.timings
    func nanoseconds(_ milliseconds: Double) -> JSONValue {
      .int(Int(exactly: (milliseconds * 1e6).rounded()) ?? 0)
    }
    pairs += [
      ("done_reason", .string(end.finishReason.openAIName == "length" ? "length" : "stop")),
      (
        "total_duration",
        nanoseconds(timings.firstTokenMilliseconds + timings.decodeMilliseconds)
      ),
      ("load_duration", .int(0)), ("prompt_eval_count", .int(end.promptTokens)),
      ("prompt_eval_duration", nanoseconds(timings.prefillMilliseconds)),
      ("eval_count", .int(end.completionTokens)),
      ("eval_duration", nanoseconds(timings.decodeMilliseconds)),
    ]
    return .object(pairs)
  }

  /// A call with its arguments as the object that they are; nil for one that was cut off.
  private static func json(_ call: ToolCall) -> JSONValue? {
    guard let arguments = try? JSONParser.parse(Array(call.arguments.utf8)) else { return nil }
    return .object([
      (
        "function",
        .object([("name", .string(call.name)), ("arguments", arguments)])
      )
    ])
  }
}

extension HTTPRequest {
  /// Whether it is for one of Ollama's routes.
  var isOllamas: Bool { rawPath.hasPrefix("/api/") }
}
