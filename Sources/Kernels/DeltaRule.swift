import CKernels

/// The gated delta rule (Yang et al., arXiv 2412.06464) and the short convolution before it.
///
/// A head keeps a matrix that answers a key with a value. Each token lets it fade by its decay, replaces a part
/// (beta) of what the matrix answers the token's key by the token's value, and asks it with the query:
///
///     S = decay * S;  S += key x (beta * (value - S^T key));  out = S^T query
///
/// The columns of S don't depend on each other: they are kept, and shared out, in tiles of 16.
package enum DeltaRule {
  /// Columns of a tile. // a state is (tiles, keyDim, tileWidth)
  package static let tileWidth = 16

  /// Rows of floats, some of each row's numbers.
  package struct Rows {
    let pointer: UnsafePointer<Float>
    let stride: Int

    package init(_ pointer: UnsafePointer<Float>, stride: Int) {
      self.pointer = pointer
      self.stride = stride
    }
  }

  /// Takes `tokens` tokens in turn into one tile of a head's state and writes what they read from it.
  /// - Parameters:
  ///   - state: The tile. // (keyDim, tileWidth)
  ///   - keyDim: An even number.
  ///   - keys: The head's; `queries` have the same stride. // (tokens, keyDim)
  ///   - values: The tile's columns. // (tokens, tileWidth)
  ///   - decays: The head's; `betas` have the same stride. // (tokens, 1)
  ///   - output: The tile's columns. // (tokens, tileWidth), rows `outputStride` apart
  package static func apply(
    to state: UnsafeMutablePointer<Float>, keyDim: Int, keys: Rows,
    queries: UnsafePointer<Float>, values: Rows, decays: Rows, betas: UnsafePointer<Float>,
    tokens: Int, into output: UnsafeMutablePointer<Float>, outputStride: Int
  ) {
    kernels.delta_rule(
      state, Int64(keyDim), keys.pointer, queries, Int64(keys.stride), values.pointer,
      Int64(values.stride), decays.pointer, betas, Int64(decays.stride), Int64(tokens), output,
      Int64(outputStride))
  }

  /// `output` becomes the sum of `rows` times their weights, number by number, or the SiLU of it.
  /// // rows: (taps) of `count` numbers, a multiple of 16; weights (taps, weightStride)
  package static func convolve(
    _ rows: UnsafeBufferPointer<UnsafePointer<Float>?>, weights: UnsafePointer<Float>,
    weightStride: Int, count: Int, hasSiLU: Bool, into output: UnsafeMutablePointer<Float>
  ) {
    kernels.short_convolution(
      rows.baseAddress, weights, Int64(rows.count), Int64(weightStride), Int64(count), hasSiLU,
      output)
  }

  private static let kernels = InstructionSet.current.functions
}
