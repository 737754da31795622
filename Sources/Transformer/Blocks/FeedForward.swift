import Kernels

/// The second half of a layer. A dense block is one kind; a mixture of experts is another.
package protocol FeedForward: Sendable {
  /// Bytes that the block's matrices take.
  var byteCount: Int { get }

  /// Applies the block to `pass.normed` and writes, or adds, the result to `output`
  /// // (rows, width). Called by every worker at once; a barrier stands before it and after it,
  /// those in between are its own.
  func apply(
    _ pass: DecoderPass, output: UnsafeMutablePointer<Float>, accumulate: Bool, worker: Worker)
}
