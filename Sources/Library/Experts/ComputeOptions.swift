import Kernels

/// How local models are run.
package struct ComputeOptions: Sendable {
  /// Compute threads; 0 is what ``Processors`` allow.
  package var threads = 0
  /// `.float` is the slow truth, `.quantized` what serves.
  package var precision: WeightMatrix.Precision = .quantized
  /// Bytes of key-value cache for all running requests of one expert.
  package var keyValueBytes = 512 << 20
  /// How the cache holds keys and values where a card does not say; nil for what goes with `precision`.
  package var keyValueType: KVLayout.ElementType?
  package var waitingLimit = 256
  package var runningLimit = 16
  /// Tokens guessed ahead for a request at most; 0 for none.
  package var draftTokens = 8
  /// Points that an image may have, and so the memory that a client's image takes: some 13 bytes a point at worst.
  package var imagePixels = 50_000_000
  /// Tokens that an image takes at most, of models that see images in their own proportions: its time grows with them, and
  /// with their square.
  package var imageTokens = 1024

  package init() {}

  /// Threads, with 0 resolved.
  package var threadCount: Int {
    threads > 0 ? threads : Processors.current.computeThreads
  }
}
