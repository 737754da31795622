/// How the next token is chosen, and when to stop.
///
/// The steps run in this order: logit bias, penalties, temperature, top-k, top-p, min-p, draw. A token that the
/// format does not allow is drawn again among those that it does.
package struct SamplingParameters: Sendable, Equatable {
  /// Divides the logits; 0 takes the most probable token.
  package var temperature: Float = 0
  /// Keeps only so many of the most probable tokens; 0 keeps all.
  package var topK: Int = 0
  /// Keeps the most probable tokens that together reach this probability; 1 keeps all.
  package var topP: Float = 1
  /// Keeps tokens with at least this share of the most probable one's probability; 0 keeps all.
  package var minP: Float = 0
  /// Positive logits of tokens seen in the window are divided by this, negative ones multiplied.
  package var repetitionPenalty: Float = 1
  /// How many of the last tokens, prompt included, the repetition penalty looks at.
  package var repetitionWindow: Int = 64
  /// Subtracted from a token's logit once for each time it was generated.
  package var frequencyPenalty: Float = 0
  /// Subtracted from a token's logit if it was generated at all.
  package var presencePenalty: Float = 0
  /// Added to the logits of these tokens.
  package var logitBias: [Int32: Float] = [:]
  /// Start of the random numbers. The same seed and prompt give the same text, whatever else
  /// runs at the time; nil takes a different one for each request.
  package var seed: UInt64?
  /// Texts that end the answer; they are not part of it.
  package var stop: [String] = []
  /// Tokens to generate at most; nil goes on to the end of the context.
  package var maxTokens: Int?
  /// Goes on after the model's end token.
  package var ignoreEndToken = false
  /// Experts that a token meets in a mixture of experts whose gates leave that open; nil for their
  /// own number.
  package var expertsK: Int?
  /// The task whose row a gate with tasks takes.
  package var gateTask: Int?
  /// What the answer has to look like; nil for anything.
  package var format: AnswerFormat?
  /// Functions that the answer may ask for; nil without any.
  package var tools: ToolUse?
  /// What is asked of the model's thinking.
  package var reasoning = ReasoningRequest()
  /// Reports each token's log-probability and so many alternatives; nil reports none.
  package var logprobs: Int?

  package init(temperature: Float = 0, seed: UInt64? = nil, maxTokens: Int? = nil) {
    self.temperature = temperature
    self.seed = seed
    self.maxTokens = maxTokens
  }
}
