import Kernels

/// The second half of a layer. A dense block is one kind; a mixture of experts is another.
package protocol FeedForward: Sendable {
  /// Bytes that the block's matrices take.
  var byteCount: Int { get }

  /// The block's linear map of this kind, where an adapter may change it.
  func projection(_ module: AdaptedModule) -> Projection?

  /// What the block needs of a pass, if it is a mixture of experts.
  var mixtureShape: MixtureShape? { get }

  /// What chooses among its experts, if it has any.
  var expertGate: Gate? { get }

  /// Whether the block reads `pass.normed.floats`, which the fused norm leaves out otherwise.
  var readsFloats: Bool { get }

  /// Called by the worker that has just normalised `rows`, for what depends on single rows only
  /// and must be done before `apply`'s barrier.
  func prepare(_ pass: DecoderPass, rows: Range<Int>)

  /// Called after `prepare` and a barrier where the pass has gates that look at other rows too
  /// (`pass.smoothsGates`), for the same rows; another barrier follows.
  func settle(_ pass: DecoderPass, rows: Range<Int>, worker: Worker)

  /// Applies the block to `pass.normed` and writes, or adds, the result to `output`
  /// // (rows, width). Called by every worker at once; a barrier stands before it and after it,
  /// those in between are its own.
  func apply(
    _ pass: DecoderPass, output: UnsafeMutablePointer<Float>, accumulate: Bool, worker: Worker)
}

extension FeedForward {
  package func projection(_ module: AdaptedModule) -> Projection? { nil }
  package var mixtureShape: MixtureShape? { nil }
  package var expertGate: Gate? { nil }
  package var readsFloats: Bool { false }
  package func prepare(_ pass: DecoderPass, rows: Range<Int>) {}
  package func settle(_ pass: DecoderPass, rows: Range<Int>, worker: Worker) {}
}
