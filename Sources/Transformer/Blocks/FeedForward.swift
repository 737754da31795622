import Kernels

/// The second half of a layer. A dense block is one kind; a mixture of experts is another.
package protocol FeedForward: Sendable {
  /// Bytes that the block's matrices take.
  var byteCount: Int { get }

  /// The block's linear map of this kind, where an adapter may change it.
  func projection(_ module: AdaptedModule) -> Projection?

  /// Applies the block to `pass.normed` and writes, or adds, the result to `output`
  /// // (rows, width). Called by every worker at once; a barrier stands before it and after it,
  /// those in between are its own.
  func apply(
    _ pass: DecoderPass, output: UnsafeMutablePointer<Float>, accumulate: Bool, worker: Worker)
}

extension FeedForward {
  package func projection(_ module: AdaptedModule) -> Projection? { nil }
}
