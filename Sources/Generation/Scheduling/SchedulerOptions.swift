import Kernels

/// Bounds on what one model's scheduler does at a time.
package struct SchedulerOptions: Sendable, Equatable {
  /// Requests that may wait to be begun; more are refused.
  package var waitingLimit = 256
  /// Sequences that run at a time.
  package var runningLimit = 64
  /// Rows of prompts that one step takes while other sequences wait for their next token. Smaller
  /// means steadier tokens for those, larger a sooner first token for new prompts.
  package var prefillRowsWhileDecoding = 128
  /// Bytes of key-value memory that may keep past prompts, for requests that begin alike.
  package var prefixCacheBytes = 64 << 20
  /// Tokens that are guessed ahead for a sequence at most (by `PromptLookup`, or by a draft model), up to
  /// `draftTokenLimit`; 0 for no guesses.
  package var draftTokens = 8
  /// Which of a draft model's guesses are made.
  package var draftPricing = DraftPricing.measured
  /// With the token before them, the guesses of all sequences are the rows of one register tile.
  package static let draftTokenLimit = Activations.rowGroup - 1

  package init() {}
}

/// What a scheduler is doing now, and has done.
package struct SchedulerStatistics: Sendable, Equatable {
  package var running = 0
  package var waiting = 0
  package var keyValueBytes = 0
  package var keyValueLimitBytes = 0
  /// Tokens of prompts that were computed.
  package var promptTokens: UInt64 = 0
  package var completionTokens: UInt64 = 0
  /// Tokens of prompts that did not have to be computed, because an earlier one began alike.
  package var reusedPromptTokens: UInt64 = 0
  package var steps: UInt64 = 0
  /// Tokens that were guessed and proved, and those of them that were right.
  package var draftedTokens: UInt64 = 0
  package var acceptedDraftTokens: UInt64 = 0
  /// Sequences that gave their key-value memory up for others and were computed again.
  package var preemptions: UInt64 = 0

  package init() {}
}
