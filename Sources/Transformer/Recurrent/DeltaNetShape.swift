import Kernels

/// The sizes of gated delta-net layers, which keep a state instead of keys and values.
package struct DeltaNetShape: Sendable, Equatable {
  /// Heads that keys and queries have.
  package var keyHeads: Int
  /// Heads that values, and so states, have; a multiple of the others.
  package var valueHeads: Int
  /// Width of a head's keys, queries and values.
  package var headDim: Int
  /// Tokens that the short convolution sees, the own one included.
  package var taps: Int
  /// Whether value heads with the same keys are neighbours, as in checkpoints and in Qwen3-Next's GGUF
  /// files; in Qwen 3.5's they are `keyHeads` apart.
  package var groupsHeads = false

  package static let headLimit = 1 << 10

  /// Width of all queries, or keys, of a token.
  package var keyWidth: Int { keyHeads * headDim }
  /// Width of all values of a token.
  package var valueWidth: Int { valueHeads * headDim }
  /// Width of what is convolved: queries, keys, values.
  package var channels: Int { 2 * keyWidth + valueWidth }
  /// Tiles of a head's state.
  var tiles: Int { headDim / DeltaRule.tileWidth }

  /// The head that has a value head's keys.
  func keyHead(of head: Int) -> Int {
    groupsHeads ? head / (valueHeads / keyHeads) : head % keyHeads
  }

  /// The first size that can't be run: its key, its value and what was expected.
  var problem: (key: String, value: String, expected: String)? {
    for (key, value, limit) in [
      ("ssm.group_count", keyHeads, Self.headLimit),
      ("ssm.time_step_rank", valueHeads, Self.headLimit),
      ("ssm.state_size", headDim, DecoderConfiguration.Limit.headDim),
      ("ssm.conv_kernel", taps, ShortConvolution.tapLimit),
    ] where !(1...limit).contains(value) { return (key, "\(value)", "1 to \(limit)") }
    guard headDim.isMultiple(of: DeltaRule.tileWidth) else {
      return ("ssm.state_size", "\(headDim)", "a multiple of \(DeltaRule.tileWidth)")
    }
    guard valueHeads.isMultiple(of: keyHeads) else {
      return ("ssm.time_step_rank", "\(valueHeads)", "a multiple of group_count \(keyHeads)")
    }
    guard channels <= DecoderConfiguration.Limit.width else {
      return (
        "ssm.inner_size", "\(valueWidth)",
        "less than \(DecoderConfiguration.Limit.width) with keys and queries"
      )
    }
    return nil
  }
}

extension DeltaNetShape: RecurrentLayerShape {
  /// // (valueHeads, tiles, headDim, tileWidth)
  var stateCount: Int { valueHeads * headDim * headDim }
  /// // (taps - 1, channels)
  var historyCount: Int { (taps - 1) * channels }
}
