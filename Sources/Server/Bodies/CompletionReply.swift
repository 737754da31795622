import Generation
import Thalamus

/// The answer of `POST /v1/completions`, and one event of it where it is streamed.
struct CompletionReply: Encodable {
  struct Choice: Encodable {
    let index: Int
    let text: String
    let finish_reason: String?
    var logprobs: CompletionLogprobs?
    /// Of one among several, at its end.
    var decision: String?

    private enum CodingKeys: String, CodingKey {
      case index, text, finish_reason, logprobs, decision
    }

    func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(index, forKey: .index)
      try values.encode(text, forKey: .text)
      try values.encode(finish_reason, forKey: .finish_reason)
      try values.encode(logprobs, forKey: .logprobs)
      try values.encodeIfPresent(decision, forKey: .decision)
    }
  }

  let id: String
  let object = "text_completion"
  let created: Int
  let model: String
  let choices: [Choice]
  let usage: UsageBody?

  private enum CodingKeys: String, CodingKey { case id, object, created, model, choices, usage }

  init(_ decision: Decision, choices: [Choice], usage: UsageBody? = nil) {
    id = "cmpl-\(decision.id)"
    created = Int(decision.time.timeIntervalSince1970)
    model = decision.expert
    self.choices = choices
    self.usage = usage
  }
}
