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

  package init(
    cache: KVCache, tokens: ArraySlice<Int32>, logits: LogitSelection = .last,
    adapter: Adapter? = nil, gating: GateRequest = GateRequest()
  ) {
    self.cache = cache
    self.tokens = tokens
    self.logits = logits
    self.adapter = adapter
    self.gating = gating
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
