/// By which coordinate of an image's rows each pair of a head's numbers is rotated: time, row or column (M-RoPE,
/// arXiv 2409.12191).
///
/// Tokens of a text stand at the same place on all three, so that theirs are plain rotary positions.
package struct RotaryAxes: Sendable, Equatable {
  package enum Axis: Int, Sendable {
    case time, row, column
  }

  /// The axis of each pair. // (rotaryWidth / 2)
  package let pairs: [Axis]

  /// Qwen3-VL's and Qwen 3.5's order: time, row, column, time, and so on, as long as an axis has pairs left; what is
  /// left over is time's.
  ///
  /// - Parameter sections: Pairs of time, rows and columns, as files list them.
  init(interleaving sections: [Int], count: Int) {
    pairs = (0..<count).map { pair in
      guard let axis = Axis(rawValue: pair % 3), axis != .time, pair / 3 < sections[axis.rawValue]
      else { return .time }
      return axis
    }
  }

  /// Where a row stands on the axes.
  package struct Place: Sendable, Equatable {
    package var time: Int
    package var row: Int
    package var column: Int

    package subscript(_ axis: Axis) -> Int {
      switch axis {
      case .time: time
      case .row: row
      case .column: column
      }
    }
  }
}

extension DecoderConfiguration {
  /// Reads the axes of a family that has them; nil where the file lists none, or one alone.
  func interleavedAxes(_ metadata: ArchitectureMetadata) throws(ModelError) -> RotaryAxes? {
    let key = "rope.dimension_sections"
    // Other widths are refused later.
    guard let sections = try metadata.optionalInts(key),
      (2...Limit.headDim).contains(rotaryWidth)
    else { return nil }
    let count = rotaryWidth / 2
    // A fourth, where it is there, is of models that do more than see.
    guard (3...4).contains(sections.count), sections.allSatisfy({ (0...count).contains($0) }) else {
      throw .invalidValue(
        key: "\(architecture).\(key)", value: "\(sections)",
        expected: "three numbers of 0 to \(count)")
    }
    return RotaryAxes(interleaving: sections, count: count)
  }
}
