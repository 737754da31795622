import Generation
import Thalamus
import Tokenization

/// The answer of `POST /v1/chat/completions`.
struct ChatCompletionReply: Encodable {
  struct Choice: Encodable {
    let index: Int
    let message: Message
    let finish_reason: String
    /// The caller's text that the answer stopped at, as vLLM tells it.
    let stop_reason: String?
    let logprobs: ChatLogprobs?
    /// Of one among several.
    let decision: String?

    private enum CodingKeys: String, CodingKey {
      case index, message, finish_reason, stop_reason, logprobs, decision
    }

    init(
      _ answer: Answer.Whole, index: Int, logprobs: ChatLogprobs?, decision: String?
    ) {
      self.index = index
      message = Message(answer)
      finish_reason = answer.summary.finishReason.openAIName
      stop_reason = answer.summary.finishReason.stopText
      self.logprobs = logprobs
      self.decision = decision
    }
  }

  struct Message: Encodable {
    let role = "assistant"
    /// Null beside calls where there is none.
    let content: String?
    /// What was thought before it; absent where nothing was.
    let reasoning_content: String?
    let tool_calls: [ToolCallBody]?

    private enum CodingKeys: String, CodingKey {
      case role, content, reasoning_content, tool_calls
    }

    init(_ answer: Answer.Whole) {
      content = answer.text.isEmpty && !answer.toolCalls.isEmpty ? nil : answer.text
      reasoning_content = answer.reasoning.isEmpty ? nil : answer.reasoning
      tool_calls =
        answer.toolCalls.isEmpty ? nil : answer.toolCalls.map { ToolCallBody($0, index: nil) }
    }

    func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(role, forKey: .role)
      try values.encode(content, forKey: .content)
      try values.encodeIfPresent(reasoning_content, forKey: .reasoning_content)
      try values.encodeIfPresent(tool_calls, forKey: .tool_calls)
    }
  }

  let id: String
  let object = "chat.completion"
  let created: Int
  /// The expert that answered, not `auto`.
  let model: String
  let choices: [Choice]
  let usage: UsageBody

  private enum CodingKeys: String, CodingKey { case id, object, created, model, choices, usage }

  /// - Parameter decision: The first answer's.
  init(_ decision: Decision, choices: [Choice], usage: UsageBody) {
    id = "chatcmpl-\(decision.id)"
    created = Int(decision.time.timeIntervalSince1970)
    model = decision.expert
    self.choices = choices
    self.usage = usage
  }
}

/// A call that the model asks for.
struct ToolCallBody: Encodable {
  struct Function: Encodable {
    let name: String
    let arguments: String
  }

  /// In streams, whose clients put the pieces of each call together.
  let index: Int?
  let id: String
  let type = "function"
  let function: Function

  private enum CodingKeys: String, CodingKey { case index, id, type, function }

  init(_ call: ToolCall, index: Int?) {
    self.index = index
    id = call.id
    function = Function(name: call.name, arguments: call.arguments)
  }
}

/// More of a call's arguments.
struct ToolCallMore: Encodable {
  struct Function: Encodable {
    let arguments: String
  }

  let index: Int
  let function: Function

  init(index: Int, arguments: String) {
    self.index = index
    function = Function(arguments: arguments)
  }
}

/// One event of a streamed chat completion.
struct ChatCompletionChunk: Encodable {
  struct Choice: Encodable {
    let index: Int
    let delta: Delta
    let finish_reason: String?
    var stop_reason: String?
    var logprobs: ChatLogprobs?
    /// At the end of one among several.
    var decision: String?

    private enum CodingKeys: String, CodingKey {
      case index, delta, finish_reason, stop_reason, logprobs, decision
    }

    func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(index, forKey: .index)
      try values.encode(delta, forKey: .delta)
      // Clients wait for the key to stop being null.
      try values.encode(finish_reason, forKey: .finish_reason)
      try values.encodeIfPresent(stop_reason, forKey: .stop_reason)
      try values.encodeIfPresent(logprobs, forKey: .logprobs)
      try values.encodeIfPresent(decision, forKey: .decision)
    }
  }

  struct Delta: Encodable {
    var role: String?
    var content: String?
    var reasoning_content: String?
    var tool_calls: [CallPiece]?
  }

  enum CallPiece: Encodable {
    case start(ToolCallBody)
    case more(ToolCallMore)

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .start(let call): try call.encode(to: encoder)
      case .more(let more): try more.encode(to: encoder)
      }
    }
  }

  let id: String
  let object = "chat.completion.chunk"
  let created: Int
  let model: String
  let choices: [Choice]
  let usage: UsageBody?

  private enum CodingKeys: String, CodingKey { case id, object, created, model, choices, usage }

  init(_ decision: Decision, choices: [Choice], usage: UsageBody? = nil) {
    id = "chatcmpl-\(decision.id)"
    created = Int(decision.time.timeIntervalSince1970)
    model = decision.expert
    self.choices = choices
    self.usage = usage
  }
}
