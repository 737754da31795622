import Synchronization

/// One caller's texts on their way through the encoder.
///
/// All but `isCancelled` is the encoder's thread's.
final class EmbeddingJob: @unchecked Sendable {
  let texts: [String]
  /// Layers of the encoder that they go through.
  let depth: Int
  let isCancelled: CancellationFlag
  private let continuation: CheckedContinuation<SentenceEncoder.Embedded, any Error>
  /// Texts that are in a pass or through it.
  private var begun = 0
  /// The tokens of the next text, once they were looked at and did not fit.
  private var next: [Int32]?
  private var vectors: [[Float]] = []
  private var tokenCount = 0

  init(
    texts: [String], depth: Int, isCancelled: CancellationFlag,
    continuation: CheckedContinuation<SentenceEncoder.Embedded, any Error>
  ) {
    self.texts = texts
    self.depth = depth
    self.isCancelled = isCancelled
    self.continuation = continuation
    vectors.reserveCapacity(texts.count)
  }

  var hasMore: Bool { begun < texts.count }
  /// None of its texts is in a pass.
  var isBetweenPasses: Bool { vectors.count == begun }

  /// The tokens of the next text, if there are at most so many; nil where they are more.
  func take(
    atMost room: Int, tokens: (String) -> [Int32]
  ) -> [Int32]? {
    let tokens = next ?? tokens(texts[begun])
    guard tokens.count <= room else {
      next = tokens
      return nil
    }
    next = nil
    begun += 1
    return tokens
  }

  /// Takes the vector of the first text that has none; with the last one the caller goes on.
  func finish(_ vector: [Float], tokenCount count: Int) {
    vectors.append(vector)
    tokenCount += count
    guard vectors.count == texts.count else { return }
    continuation.resume(returning: .init(vectors: vectors, tokenCount: tokenCount))
  }

  func fail(_ error: any Error) { continuation.resume(throwing: error) }
}

/// Set by whoever no longer waits for a result.
final class CancellationFlag: Sendable {
  private let flag = Atomic(false)

  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}
