/// How a model marks what it thinks before it answers.
package enum ReasoningStyle: Sendable, Equatable {
  /// `<think>…</think>` in front of the answer: Qwen 3, DeepSeek-R1 and its distilled models, SmolLM3.
  case think
  /// Messages in channels of their own, as gpt-oss's harmony has them:
  /// `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`.
  case channels

  /// Where ``think`` begins and ends.
  package static let open = "<think>"
  package static let close = "</think>"

  /// Texts that mean something here. Where a vocabulary has one as a single token, that token alone is meant by it,
  /// whether or not decoding shows it.
  package var marks: [String] {
    switch self {
    case .think: [Self.open, Self.close]
    case .channels: ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"]
    }
  }

  /// The mark with which a model begins to think by itself; nil where each message has a header anyway.
  package var openingMark: String? { self == .think ? Self.open : nil }

  /// What ends the thinking, and begins the answer.
  package var closing: String {
    switch self {
    case .think: "\n</think>\n\n"
    case .channels: "<|end|><|start|>assistant<|channel|>final<|message|>"
    }
  }
}
