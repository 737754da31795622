import Tokenization
import Transformer

/// What a running request reports, in this order: `started`, any number of `reasoning`, `text` and calls, `finished`.
package enum GenerationEvent: Sendable, Equatable {
  /// The prompt is in the cache and the first token is known.
  case started(promptTokens: Int, prefillMilliseconds: Double)
  /// More of what the model thinks before it answers, which is no part of its answer; never empty.
  case reasoning(String)
  /// More of the answer. Empty text is not sent unless log-probabilities were asked for.
  case text(String, logprobs: [ChosenLogprob])
  /// The model begins to say that it wants a function called.
  case toolCallStart(id: String, name: String)
  /// More of the arguments of the call that began last, JSON in pieces.
  case toolCallArguments(String)
  /// The answer is complete; nothing follows.
  case finished(GenerationSummary)
}

/// What came of a request.
package struct GenerationSummary: Sendable, Equatable {
  package var finishReason: FinishReason
  package var promptTokens: Int
  /// Tokens of the prompt that an earlier request had left in the cache.
  package var reusedPromptTokens: Int
  /// Tokens that were generated, an end token included.
  package var completionTokens: Int
  /// Those of them with which the model thought, its marks included.
  package var reasoningTokens: Int
  /// Tokens that were guessed ahead, and those of them that came true.
  package var draftedTokens: Int
  package var acceptedDraftTokens: Int
  package var timings: GenerationTimings
  /// What the model's gates chose for the tokens that were computed, prompt and answer together;
  /// nil for a model without gates.
  package var gateStatistics: GateStatistics?

  package init(
    finishReason: FinishReason, promptTokens: Int, reusedPromptTokens: Int, completionTokens: Int,
    reasoningTokens: Int = 0, draftedTokens: Int = 0, acceptedDraftTokens: Int = 0,
    timings: GenerationTimings,
    gateStatistics: GateStatistics? = nil
  ) {
    self.finishReason = finishReason
    self.promptTokens = promptTokens
    self.reusedPromptTokens = reusedPromptTokens
    self.completionTokens = completionTokens
    self.reasoningTokens = reasoningTokens
    self.draftedTokens = draftedTokens
    self.acceptedDraftTokens = acceptedDraftTokens
    self.timings = timings
    self.gateStatistics = gateStatistics
  }
}

/// Where a request's time went.
package struct GenerationTimings: Sendable, Equatable {
  /// What the prompt's images took to be read, before submission; nil where it had none.
  package var imageMilliseconds: Double?
  /// From submission to the first prefill step.
  package var queueMilliseconds = 0.0
  /// From the first prefill step to the first token.
  package var prefillMilliseconds = 0.0
  /// From the first token to the last.
  package var decodeMilliseconds = 0.0
  /// From submission, or from when images began to be read, to the first token.
  package var firstTokenMilliseconds = 0.0

  package init() {}
}

/// The events of one request. Leaving the loop, or cancelling the task that runs it, stops the
/// generation within one token.
package typealias GenerationStream = AsyncThrowingStream<GenerationEvent, any Error>
