import Kernels

/// The first half of a layer: what mixes a sequence's positions. Plain heads are one kind; heads
/// that come out of a latent are another.
package protocol SelfAttention: Sendable {
  /// Bytes that the block's matrices take.
  var byteCount: Int { get }

  /// Whether it needs the rows of `pass.normed` as floats too, under either precision.
  var readsFloats: Bool { get }

  /// The block's linear map of this kind, where an adapter may change it.
  func projection(_ module: AdaptedModule) -> Projection?

  /// Applies the block to `pass.normed` and writes, or adds, the result to `output`
  /// // (rows, width). Called by every worker at once; a barrier stands before it and after it,
  /// those in between are its own.
  func apply(
    _ pass: DecoderPass, output: UnsafeMutablePointer<Float>, accumulate: Bool, worker: Worker)
}

extension SelfAttention {
  package var readsFloats: Bool { false }
  package func projection(_ module: AdaptedModule) -> Projection? { nil }
}
