import Kernels

/// The sizes of Mamba-2 layers, which keep a state instead of keys and values.
package struct MambaShape: Sendable, Equatable {
  /// Heads, each with a decay of its own.
  package var heads: Int
  /// Numbers of a head.
  package var headDim: Int
  /// Groups of heads that have the same input and output maps.
  package var groups: Int
  /// Numbers of a map, and so what each number of a head keeps.
  package var stateSize: Int
  /// Tokens that the short convolution sees, the own one included.
  package var taps: Int

  package static let headLimit = 1 << 10

  /// Width of all heads of a token.
  package var valueWidth: Int { heads * headDim }
  /// Width of all input, or output, maps of a token.
  package var mapWidth: Int { groups * stateSize }
  /// Width of what is convolved: values, input maps, output maps.
  package var channels: Int { valueWidth + 2 * mapWidth }
  /// Rows of the map that makes all this: the gate, what is convolved, a step a head.
  var projected: Int { valueWidth + channels + heads }
  /// Numbers that are normed together.
  var normWidth: Int { valueWidth / groups }
  /// Tiles of a head's state.
  var tiles: Int { headDim / StateSpace.tileWidth }

  /// The group that has a head's maps.
  func group(of head: Int) -> Int { head / (heads / groups) }

  /// The first size that can't be run: its key, its value and what was expected.
  var problem: (key: String, value: String, expected: String)? {
    for (key, value, limit) in [
      ("ssm.time_step_rank", heads, Self.headLimit), ("ssm.group_count", groups, Self.headLimit),
      ("ssm.state_size", stateSize, DecoderConfiguration.Limit.headDim),
      ("ssm.conv_kernel", taps, ShortConvolution.tapLimit),
    ] where !(1...limit).contains(value) { return (key, "\(value)", "1 to \(limit)") }
    guard (1...DecoderConfiguration.Limit.headDim).contains(headDim),
      headDim.isMultiple(of: StateSpace.tileWidth)
    else {
      return (
        "ssm.inner_size", "\(heads) heads of \(headDim)",
        "heads whose width is a multiple of \(StateSpace.tileWidth)"
      )
    }
    guard heads.isMultiple(of: groups) else {
      return ("ssm.time_step_rank", "\(heads)", "a multiple of group_count \(groups)")
    }
    guard mapWidth.isMultiple(of: ShortConvolution.channelMultiple / 2) else {
      return ("ssm.state_size", "\(stateSize)", "a multiple of 8 for all groups together")
    }
    guard channels <= DecoderConfiguration.Limit.width else {
      return (
        "ssm.inner_size", "\(valueWidth)",
        "less than \(DecoderConfiguration.Limit.width) with input and output maps"
      )
    }
    return nil
  }
}

extension MambaShape: RecurrentLayerShape {
  /// // (heads, tiles, stateSize, tileWidth)
  var stateCount: Int { valueWidth * stateSize }
  /// // (taps - 1, channels)
  var historyCount: Int { (taps - 1) * channels }
}
