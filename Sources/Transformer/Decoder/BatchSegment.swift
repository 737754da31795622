/// Which of a segment's rows need logits.
package enum LogitSelection: Sendable, Equatable {
  case none
  /// The last token's, to choose the next one.
  case last
  /// All, to score a text.
  case all
}

/// The next tokens of one sequence in a pass. They follow what its cache holds.
package struct BatchSegment {
  package let cache: KVCache
  package let tokens: ArraySlice<Int32>
  package let logits: LogitSelection
  /// What is added to the base's linear maps for these rows; nil for the base alone. A sequence has
  /// the same adapter from its first token to its last.
  package let adapter: Adapter?
  /// What the sequence's request asks of token-level gates.
  package let gating: GateRequest
  /// What enters the first layer instead of some of the sequence's tokens, in order; those of other positions than this
  /// segment's may be among them.
  package let embeddings: [EmbeddingSpan]

  package init(
    cache: KVCache, tokens: ArraySlice<Int32>, logits: LogitSelection = .last,
    adapter: Adapter? = nil, gating: GateRequest = GateRequest(),
    embeddings: [EmbeddingSpan] = []
  ) {
    self.cache = cache
    self.tokens = tokens
    self.logits = logits
    self.adapter = adapter
    self.gating = gating
    self.embeddings = embeddings
  }
}

extension BatchSegment {
  /// Rows that need logits: the last ones.
  var logitCount: Int {
    switch logits {
    case .none: 0
    case .last: 1
    case .all: tokens.count
    }
  }
}

/// The logits that follow one token.
package struct LogitRow {
  /// Index of the segment in the batch.
  package let segment: Int
  /// The token's position in its sequence.
  package let position: Int
  /// Scratch of the model: to be used, or overwritten, before the receiver returns.
  package let logits: UnsafeMutableBufferPointer<Float>  // (vocabulary)
}
