import Generation
import Thalamus

/// The answer of `POST /v1/chat/completions`.
struct ChatCompletionReply: Encodable {
  struct Choice: Encodable {
    let index = 0
    let message: Message
    let finish_reason: String
    let logprobs: ChatLogprobs?

    private enum CodingKeys: String, CodingKey { case index, message, finish_reason, logprobs }
  }

  struct Message: Encodable {
    let role = "assistant"
    let content: String

    private enum CodingKeys: String, CodingKey { case role, content }
  }

  let id: String
  let object = "chat.completion"
  let created: Int
  /// The expert that answered, not `auto`.
  let model: String
  let choices: [Choice]
  let usage: UsageBody

  private enum CodingKeys: String, CodingKey { case id, object, created, model, choices, usage }

  init(
    _ decision: Decision, text: String, logprobs: ChatLogprobs?, summary: GenerationSummary,
    usage: UsageBody
  ) {
    id = "chatcmpl-\(decision.id)"
    created = Int(decision.time.timeIntervalSince1970)
    model = decision.expert
    choices = [
      Choice(
        message: Message(content: text), finish_reason: summary.finishReason.openAIName,
        logprobs: logprobs)
    ]
    self.usage = usage
  }
}

/// One event of a streamed chat completion.
struct ChatCompletionChunk: Encodable {
  struct Choice: Encodable {
    let index = 0
    let delta: Delta
    let finish_reason: String?
    var logprobs: ChatLogprobs?

    private enum CodingKeys: String, CodingKey { case index, delta, finish_reason, logprobs }

    func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(index, forKey: .index)
      try values.encode(delta, forKey: .delta)
      // Clients wait for the key to stop being null.
      try values.encode(finish_reason, forKey: .finish_reason)
      try values.encodeIfPresent(logprobs, forKey: .logprobs)
    }
  }

  struct Delta: Encodable {
    var role: String?
    var content: String?
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
