import Synchronization

/// Embeddings of texts that were asked for lately. A prompt often comes twice: to see what would be
/// decided and then to be answered, to draw its Pareto front, or again from a program that tries
/// the same once more.
///
/// Two generations stand in for an order of use: what is asked for moves to the younger one, and
/// when that is full it becomes the older one, whose texts go.
final class EmbeddingCache: Sendable {
  private struct Key: Hashable {
    /// A text's bytes: as strings, texts are equal that are not the same.
    let bytes: [UInt8]
    let depth: Int

    init(_ text: String, _ depth: Int) {
      bytes = [UInt8](text.utf8)
      self.depth = depth
    }
  }

  private struct State {
    var younger: [Key: SentenceEncoder.Embedded] = [:]
    var older: [Key: SentenceEncoder.Embedded] = [:]
  }

  /// Texts of a generation; with their vectors of 384 numbers some 2 KB each.
  private let capacity: Int
  /// Longer texts are not kept: their keys would be larger than what they save.
  private let maximumBytes: Int
  private let state = Mutex(State())

  init(capacity: Int = 256, maximumBytes: Int = 4096) {
    self.capacity = capacity
    self.maximumBytes = maximumBytes
  }

  /// What is known of a text behind so many layers, if it is.
  func find(_ text: String, depth: Int) -> SentenceEncoder.Embedded? {
    guard text.utf8.count <= maximumBytes else { return nil }
    let key = Key(text, depth)
    return state.withLock { state in
      if let found = state.younger[key] { return found }
      guard let found = state.older[key] else { return nil }
      keep(found, of: key, in: &state)
      return found
    }
  }

  func keep(_ embedded: SentenceEncoder.Embedded, of text: String, depth: Int) {
    guard text.utf8.count <= maximumBytes else { return }
    state.withLock { keep(embedded, of: Key(text, depth), in: &$0) }
  }

  private func keep(
    _ embedded: SentenceEncoder.Embedded, of key: Key, in state: inout State
  ) {
    if state.younger.count >= capacity {
      state.older = state.younger
      state.younger = [:]
    }
    state.younger[key] = embedded
  }
}
