import Synchronization
import Transformer

/// Something the model's thread has been asked to do, and where its results go.
final class Job: Sendable {
  enum Kind: Sendable {
    case generation(GenerationRequest, GenerationStream.Continuation)
    /// The scores of all tokens, in one window.
    case scoring([Int32], alternatives: Int, Adapter?, CheckedContinuation<TokenScores, any Error>)
  }

  let kind: Kind
  /// When it was submitted, in nanoseconds of the monotonic clock.
  let submitted: UInt64
  private let cancelled = Atomic<Bool>(false)

  /// - Parameter submitted: When the request came, where that was before.
  init(kind: Kind, submitted: UInt64 = MonotonicClock.nanoseconds()) {
    self.kind = kind
    self.submitted = submitted
  }

  /// The tokens to begin with.
  var tokens: [Int32] {
    switch kind {
    case .generation(let request, _): request.promptTokens
    case .scoring(let tokens, _, _, _): tokens
    }
  }

  /// What enters the model instead of some of them.
  var embeddings: [EmbeddingSpan] {
    switch kind {
    case .generation(let request, _): request.embeddings
    case .scoring: []
    }
  }

  /// What texts that begin with this job's prompt are known by: its tokens, and where something else stands in their
  /// place a number of that, which is no token's.
  func prefixKeys(_ tokens: some Collection<Int32>) -> [Int32] {
    var keys = Array(tokens)
    for span in embeddings {
      for position in span.positions.clamped(to: 0..<keys.count) {
        var hasher = Hasher()
        hasher.combine(span.identity)
        hasher.combine(span.range.lowerBound + position - span.position)
        keys[position] = Int32(truncatingIfNeeded: hasher.finalize()) | .min
      }
    }
    return keys
  }

  /// What the model runs with.
  var adapter: Adapter? {
    switch kind {
    case .generation(let request, _): request.adapter
    case .scoring(_, _, let adapter, _): adapter
    }
  }

  /// What it asks of the model's gates.
  var gating: GateRequest {
    switch kind {
    case .generation(let request, _): request.gating
    case .scoring: GateRequest()
    }
  }

  /// With which other jobs it may share what was computed for equal beginnings.
  var prefixScope: PrefixTree.Scope {
    PrefixTree.Scope(adapter: adapter?.identity, gating: gating)
  }

  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
  func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Ends it without a result.
  func fail(_ error: GenerationError) {
    switch kind {
    case .generation(_, let continuation): continuation.finish(throwing: error)
    case .scoring(_, _, _, let continuation): continuation.resume(throwing: error)
    }
  }
}
