/// How a model marks what it thinks before it answers.
package enum ReasoningStyle: Sendable, Equatable {
  /// `<think>…</think>` in front of the answer: Qwen 3, DeepSeek-R1 and its distilled models, SmolLM3.
  case think
  /// `<|channel>thought\n…<channel|>` in front of the answer: Gemma 4.
  case thought
  /// Messages in channels of their own, as gpt-oss's harmony has them:
  /// `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`.
  case channels

  /// The marks where thinking begins and ends; nil where each message has a header.
  package var bounds: (open: String, close: String)? {
    switch self {
    case .think: ("<think>", "</think>")
    case .thought: ("<|channel>", "<channel|>")
    case .channels: nil
    }
  }

  /// What stands behind the mark with which thinking begins, and is no thought.
  var header: String { self == .thought ? "thought" : "" }

  /// Texts that mean something here. Where a vocabulary has one as a single token, that token alone is meant by it,
  /// whether or not decoding shows it.
  package var marks: [String] {
    switch self {
    case .think, .thought: bounds.map { [$0.open, $0.close] } ?? []
    case .channels: ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"]
    }
  }

  /// The mark with which a model begins to think by itself; nil where each message has a header anyway.
  package var openingMark: String? { bounds?.open }

  /// What a prompt opens the thinking with.
  package var opening: String { (bounds?.open ?? "") + header }

  /// What ends the thinking, and begins the answer.
  package var closing: String {
    switch self {
    case .think: "\n</think>\n\n"
    case .thought: "\n<channel|>"
    case .channels: "<|end|><|start|>assistant<|channel|>final<|message|>"
    }
  }
}
