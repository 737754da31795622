import CKernels

/// Mamba-2's recurrence (Dao and Gu, arXiv 2405.21060).
///
/// Each number of a head keeps a vector. A token lets it fade by its decay, adds the token's input map times the
/// number, by the token's step, and reads it with the token's output map:
///
///     S = decay * S + input x (step * value);  out = S^T output + skip * value
///
/// The numbers of a head don't depend on each other: they are kept, and shared out, in tiles of 16.
package enum StateSpace {
  /// Numbers of a tile. // a head's state is (tiles, stateSize, tileWidth)
  package static let tileWidth = DeltaRule.tileWidth

  /// Takes `tokens` tokens in turn into one tile of a head's state and writes what they read from it.
  /// - Parameters:
  ///   - state: The tile. // (stateSize, tileWidth)
  ///   - inputs: The head's group's input maps; `outputs` have the same stride. // (tokens, stateSize)
  ///   - values: The tile's numbers. // (tokens, tileWidth)
  ///   - decays: The head's; `steps` have the same stride. // (tokens, 1)
  ///   - skip: What of a value is added to what it reads.
  ///   - output: The tile's numbers. // (tokens, tileWidth), rows `outputStride` apart
  package static func apply(
    to state: UnsafeMutablePointer<Float>, stateSize: Int, inputs: DeltaRule.Rows,
    outputs: UnsafePointer<Float>, values: DeltaRule.Rows, decays: DeltaRule.Rows,
    steps: UnsafePointer<Float>, skip: Float, tokens: Int,
    into output: UnsafeMutablePointer<Float>, outputStride: Int
  ) {
    kernels.state_space(
      state, Int64(stateSize), inputs.pointer, outputs, Int64(inputs.stride), values.pointer,
      Int64(values.stride), decays.pointer, steps, Int64(decays.stride), skip, Int64(tokens),
      output, Int64(outputStride))
  }

  private static let kernels = InstructionSet.current.functions
}
