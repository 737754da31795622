import Transformer

/// A job that the model's thread works on: tokens, of which the cache holds the first so many.
///
/// Only the model's thread uses it; `receive` is called by one pool thread within a pass.
final class RunningSequence: @unchecked Sendable {
  /// What happens with the logits.
  enum Role {
    case generation(GenerationState)
    case scoring(ScoringState)
  }

  let job: Job
  let cache: KVCache
  let role: Role
  /// The prompt and what was generated so far.
  var tokens: [Int32]

  init(job: Job, tokens: [Int32], cache: KVCache, role: Role) {
    self.job = job
    self.tokens = tokens
    self.cache = cache
    self.role = role
  }

  /// Tokens that are not in the cache yet. A sequence that decodes has one.
  var pendingCount: Int { tokens.count - cache.count }

  /// The segment that takes the next `rows` pending tokens.
  func segment(rows: Int) -> BatchSegment {
    let end = cache.count + rows
    let selection: LogitSelection =
      switch role {
      case .generation: end == tokens.count ? .last : .none
      case .scoring: .all
      }
    return BatchSegment(
      cache: cache, tokens: tokens[cache.count..<end], logits: selection, adapter: job.adapter,
      gating: job.gating)
  }

  /// Takes the logits after the token at `position`. They may be overwritten.
  func receive(logits: UnsafeMutableBufferPointer<Float>, position: Int) {
    switch role {
    case .generation(let state): state.sample(logits: logits, tokens: tokens)
    case .scoring(let state):
      state.receive(logits: UnsafeBufferPointer(logits), position: position, tokens: tokens)
    }
  }
}
