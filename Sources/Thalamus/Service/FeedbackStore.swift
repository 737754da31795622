import Routing
import Synchronization

/// What the service remembers of callers' opinions, while it runs; the log has them for good.
final class FeedbackStore: Sendable {
  /// Layers of the encoder that prompts go through before they are compared.
  let depth: Int
  /// The encoder and its depth: embeddings of another can't be compared with these.
  let encoder: String
  let capacity: Int
  private let memory: Mutex<FeedbackMemory>

  init(space: EmbeddingSpace, weight: Double, encoderRevision: String, depth: Int) {
    self.depth = depth
    encoder = "\(encoderRevision)/\(depth)"
    let memory = FeedbackMemory(space: space, weighting: .init(weight: weight))
    capacity = memory.capacity
    self.memory = Mutex(memory)
  }

  var isEmpty: Bool { memory.withLock { $0.count == 0 } }

  func remember(
    _ judgement: FeedbackMemory.Judgement, isRecalled: Bool = false
  ) throws(RoutingError) {
    try memory.withLock { memory throws(RoutingError) in
      try memory.remember(judgement, isRecalled: isRecalled)
    }
  }

  func opinions(on embedding: [Float]) throws(RoutingError) -> [String: FeedbackOpinion] {
    try memory.withLock { memory throws(RoutingError) in try memory.opinions(on: embedding) }
  }
}
